"""The metrics of an invocation, as fields of its last log line, in CloudWatch's embedded metric format.

CloudWatch reads the metrics from the log, so no function calls it. Each count is the amount that this one invocation
added, so CloudWatch's sums are the totals of a night, however often a worker was called again at its cursor. An
invocation that fails reports no counts; its retry reports them once.

The id of a run is a field of the line and never a dimension: each value of a dimension is a metric of its own, which
AWS charges for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etl.model.counts import TABLE, Counts, rejected_share
from etl.model.run import Work
from etl.model.stages import BY_ACTION, FINISH, GATE

# Every metric with its unit. Source of units: CloudWatch API reference, MetricDatum.
UNITS = {
    **{count.metric: count.unit for count in TABLE if count.metric},
    "Retries": "Count",
    "NearLimit": "Count",
    "RejectedShare": "Percent",
    "Duration": "Milliseconds",
    "MemoryUsed": "Megabytes",
}
# These have the stage as a dimension. All others have no dimension.
BY_STAGE = frozenset(("Duration", "MemoryUsed"))

# An invocation is near its limit if it used more than this part of its memory.
_NEAR_MEMORY = 0.9
# An invocation is near the end of its time if less than one of these parts of it remains. A worker stops by itself
# with a fiftieth left (see deadline.py), and closing its objects should not take two thirds of that. Stages of one
# invocation don't stop by themselves.
_PARTS_OF_TIME = {True: 150, False: 5}


def worked(action: str, before: Work, after: Work) -> dict[str, float]:
    """The amounts that a worker added to the counts of its segment, by metric.

    Args:
        action: the action of the invocation.
        before: the work as the invocation got it.
        after: the work that it returns.
    """
    fed = [count for count in TABLE if count.metric and count.stage == action]
    return {count.metric: after.counted(count.name) - before.counted(count.name) for count in fed}


def judged_share(action: str, counts: Counts) -> dict[str, float]:
    """The share of rejected records, in percent, that Gate or Finish judges; empty for other actions."""
    if action not in (GATE, FINISH):
        return {}
    part, whole = rejected_share(action, counts)
    return {"RejectedShare": round(100 * part / whole, 3) if whole else 0.0}


def used(action: str, duration_ms: int, remaining_ms: int, memory_mb: float, limit_mb: float) -> dict[str, float]:
    """The time and memory that an invocation used, and whether it was near a limit.

    Args:
        action: the action of the invocation.
        duration_ms: its duration so far.
        remaining_ms: the time that it has left.
        memory_mb: the most memory that its process had, in MiB, which Lambda calls MB.
        limit_mb: the memory of the function.
    """
    parts = _PARTS_OF_TIME[BY_ACTION[action].is_map]
    near = remaining_ms * parts < duration_ms + remaining_ms or memory_mb > _NEAR_MEMORY * limit_mb
    return {"Duration": duration_ms, "MemoryUsed": round(memory_mb, 1), "NearLimit": int(near)}


def embedded(action: str, values: Mapping[str, float], at_ms: int, namespace: str) -> dict[str, Any]:
    """Metrics as fields of a log line, with the field ``_aws`` that describes them to CloudWatch.

    Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".

    Args:
        action: the action of the invocation. Its state's name is the dimension ``Stage``.
        values: metrics by name, each in ``UNITS``.
        at_ms: the time of the invocation's end, in milliseconds since 1970.
        namespace: that of the pipeline.
    """
    directives = [
        {
            "Namespace": namespace,
            "Dimensions": [dimensions],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values if (name in BY_STAGE) is by_stage],
        }
        for by_stage, dimensions in ((False, []), (True, ["Stage"]))
    ]
    return {"Stage": BY_ACTION[action].state, **values, "_aws": {"Timestamp": at_ms, "CloudWatchMetrics": directives}}


def peak_memory_mb(status: Path = Path("/proc/self/status")) -> float:
    """The most memory that this process had, in MiB.

    Linux reports it in VmHWM. ``ru_maxrss`` would include the memory of the parent process.
    """
    try:
        with status.open(encoding="utf-8") as lines:
            kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):  # not Linux, or a kernel without this line
        import resource

        kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return kibibytes / 1024
