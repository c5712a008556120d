"""Which weights may be stored in how many bits: the smallest download whose measured loss stays within a bound."""
