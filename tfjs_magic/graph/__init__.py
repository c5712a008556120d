"""The graph front end: trace, grappler, and the graph that the passes work on."""
