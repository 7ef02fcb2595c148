"""What an invocation measured of itself, in CloudWatch's embedded metric format: fields of its last log line.

CloudWatch reads the metrics out of the log, so that no function calls it. All counts are what this one invocation
added: CloudWatch's sums are a night's totals, however often a worker was called again at its cursor. An invocation that
fails tells none, and what its retry does is counted once.

A run's timestamp is a field of the line and never a dimension: each value of a dimension is a metric of its own, and
paid for.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etl.model.counts import Counts, judged
from etl.model.run import Work

NAMESPACE = "EtlPipeline"
# Every metric with its unit. Source of units: CloudWatch API reference, MetricDatum.
UNITS = {
    "ItemsScanned": "Count",
    "ItemsRead": "Count",
    "ItemsTransformed": "Count",
    "ItemsDropped": "Count",
    "ItemsRejected": "Count",
    "ItemsUntimed": "Count",
    "ItemsLoaded": "Count",
    "ItemsSuperseded": "Count",
    "BytesStaged": "Bytes",
    "Throttles": "Count",
    "Retries": "Count",
    "NearLimit": "Count",
    "RejectedShare": "Percent",
    "Duration": "Milliseconds",
    "MemoryUsed": "Megabytes",
}
# These are told for each stage; all others have no dimension.
BY_STAGE = frozenset(("Duration", "MemoryUsed"))

_COUNTED = {
    "extract": {"ItemsScanned": "scanned", "ItemsRead": "read", "BytesStaged": "extract_bytes"},
    "transform": {
        "ItemsTransformed": "transformed",
        "ItemsDropped": "dropped",
        "ItemsRejected": "rejected_transform",
        "ItemsUntimed": "untimed",
        "BytesStaged": "transform_bytes",
    },
    "load": {
        "ItemsLoaded": "loaded",
        "ItemsSuperseded": "superseded",
        "ItemsRejected": "rejected_load",
        "Throttles": "load_throttled",
    },
}
# What was rejected, and of how many: before loading, and of what was loaded.
_SHARES: dict[str, tuple[str, Callable[[Counts], int]]] = {
    "gate": ("rejected_transform", judged),
    "finish": ("rejected_load", lambda counts: counts.get("records", 0)),
}

# Memory of which an invocation has used more than nine tenths is near its limit.
_NEAR_MEMORY = 0.9
# An invocation is near the end of its time when less than this part of it is left. A worker stops by itself with a
# fiftieth left (see etl/deadline.py), and closing what is open should not use two thirds of that. The other actions
# take as long as they take.
_PART_OF_TIME = {"extract": 150, "transform": 150, "load": 150, "plan": 5, "gate": 5, "finish": 5}


def worked(action: str, before: Work, after: Work) -> dict[str, float]:
    """What a worker added to its segment's counts.

    Args:
        action: extract, transform or load.
        before: the segment as the invocation got it.
        after: the segment as it is returned.
    """
    return {metric: after.counted(name) - before.counted(name) for metric, name in _COUNTED[action].items()}


def rejected_share(action: str, counts: Counts) -> dict[str, float]:
    """The share of rejected items, in percent, that Gate or Finish looks at; nothing for other actions.

    Args:
        action: what the invocation does.
        counts: the run's totals, by name.
    """
    if action not in _SHARES:
        return {}
    rejected, whole_of = _SHARES[action]
    whole = whole_of(counts)
    return {"RejectedShare": round(100 * counts.get(rejected, 0) / whole, 3) if whole else 0.0}


def used(action: str, duration_ms: int, remaining_ms: int, memory_mb: float, limit_mb: float) -> dict[str, float]:
    """What an invocation has used, and whether that is near its limits.

    Args:
        action: what it did.
        duration_ms: how long it has taken.
        remaining_ms: how much longer it might have taken.
        memory_mb: the most memory that its process has had, in MiB, which Lambda calls MB.
        limit_mb: what the function has.
    """
    near_time = remaining_ms * _PART_OF_TIME[action] < duration_ms + remaining_ms
    near = near_time or memory_mb > _NEAR_MEMORY * limit_mb
    return {"Duration": duration_ms, "MemoryUsed": round(memory_mb, 1), "NearLimit": int(near)}


def embedded(action: str, values: Mapping[str, float], at_ms: int) -> dict[str, Any]:
    """Metrics as fields of a log line, with the ``_aws`` by which CloudWatch knows them.

    Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".

    Args:
        action: what the invocation did; its name with a capital is the dimension ``Stage``.
        values: metrics by name, each in ``UNITS``.
        at_ms: when, in milliseconds since 1970.
    """
    directives = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": [dimensions],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values if (name in BY_STAGE) is by_stage],
        }
        for by_stage, dimensions in ((False, []), (True, ["Stage"]))
    ]
    return {"Stage": action.capitalize(), **values, "_aws": {"Timestamp": at_ms, "CloudWatchMetrics": directives}}


def peak_memory_mb(status: Path = Path("/proc/self/status")) -> float:
    """The most memory that this process has had, in MiB.

    Linux tells it in VmHWM; ``ru_maxrss`` begins at what the process that started this one had.
    """
    try:
        with status.open(encoding="utf-8") as lines:
            kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):  # no Linux, such as a function on somebody's Mac, or another kernel
        import resource

        kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return kibibytes / 1024
