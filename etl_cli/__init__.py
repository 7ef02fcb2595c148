"""The `etl` command: runs the pipeline on this machine and looks after it."""
