"""One invocation of a function: its time, its log line, its metrics, its trace, the version of its code."""
