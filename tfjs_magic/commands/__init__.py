"""What the command line does beyond converting; it is handed what was parsed."""
