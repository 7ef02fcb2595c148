"""The report of a run that succeeded, and the message of one that failed: in the terminal, and for programs."""
