"""`etl report`: the report of a run, in the terminal, for programs, and as a page."""
