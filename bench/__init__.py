"""The benchmark: what it costs to move a record, beside the ways in which others move it."""
