"""One invocation of a function: its deadline, log, metrics, trace, and the version of its code."""
