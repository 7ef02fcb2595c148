"""The variants: each a module with ``extract``, ``transform`` and ``load``, as far as it has the stage.

Each takes the :class:`bench.job.Job`, sets up (imports, clients) and returns the function that is measured. The
peers are written as their documentation teaches.
"""
