"""One measurement in its own process: `python -m bench.worker JOB` prints the job's cost as JSON."""

import cProfile
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.job import Job, Measured


def measure(job: Job, work: Callable[[], dict[str, Any] | None]) -> Measured:
    """Run ``work`` and return its cost."""
    base = _memory_mb("VmRSS")
    profile = cProfile.Profile() if job.profile else None
    started, before = time.perf_counter(), _cpu_seconds()
    facts = profile.runcall(work) if profile else work()
    cpu, wall = _cpu_seconds() - before, time.perf_counter() - started
    if profile:
        profile.dump_stats(job.profile)
    return Measured(cpu_seconds=cpu, wall_seconds=wall, peak_mb=_memory_mb("VmHWM"), base_mb=base, facts=facts or {})


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory_mb(name: str) -> float:
    """A size of this process in MB; ``ru_maxrss``, which a child takes over from its parent, only off Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Join the control groups, set up, measure."""
    job = Job(**json.loads(sys.argv[1]))
    for folder in job.cgroups:
        (Path(folder) / "cgroup.procs").write_text(str(os.getpid()))
    variant = importlib.import_module(f"bench.variants.{job.variant}")
    work = getattr(variant, job.stage)(job)
    print(json.dumps(asdict(measure(job, work))), flush=True)
    os._exit(0)  # clients that were never closed have nothing to add


if __name__ == "__main__":
    main()
