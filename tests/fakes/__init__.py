"""Stand-ins in memory, for all tests.

`Fake…` takes the place of AWS or of a part of it: it answers as AWS does, and remembers the `calls`, `tables` and
`objects`. `Recorded…` answers from a recorded execution. `PastRuns` are runs of the functions' code on these fakes.
"""
