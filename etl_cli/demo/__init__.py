"""`etl demo`: the whole pipeline on this machine."""
