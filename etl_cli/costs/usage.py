"""The amounts that AWS bills for a run, and the formulas behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from etl.model.limits import READ_BYTES, UPLOAD_BYTES
from etl.model.settings import Settings
from etl.model.stages import MAPS, STAGES

# DynamoDB counts in binary units. Source: DynamoDB Developer Guide, "Quotas in Amazon DynamoDB".
KB, MB, GB = 1024, 1024**2, 1024**3
# Eventually consistent reading costs half a unit for 4 KB, before the filter. Source: API reference of Scan.
BYTES_PER_READ_UNIT = 2 * 4 * KB
PART_BYTES = Settings.part_bytes
# Assumptions from the shape of the lines: an event of a history without data; an invocation's START, END and REPORT
# with a line or two of the function's own.
EVENT_LOG_BYTES, INVOCATION_LOG_BYTES = 500, 1_500
# Plan, Gate and Finish: one invocation each.
STEPS = len(STAGES) - len(MAPS)
# Metrics of the functions' log lines (the whole run's, and two for each state) and of the bucket's requests. Each is
# billed for every hour with a value. Sources: "Amazon CloudWatch pricing"; runtime/etl/invocation/metrics.py; S3 User
# Guide, "Amazon S3 metrics and dimensions".
FUNCTION_METRICS, BUCKET_METRICS, HOUR_SECONDS = 25, 10, 3600


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The amounts that AWS bills for a run: of both tables, the functions, the execution with its children, and S3.

    EventBridge's schedule and the events of AWS services are free, and no ``events``.
    """

    read_units: float
    write_units: float
    gb_seconds: float
    invocations: float
    transitions: float
    puts: float
    gets: float
    staged_bytes: float
    log_bytes: float
    metric_hours: float
    events: float = 1
    traces: float = 1


def put_requests(size: float, parts: float) -> float:
    """PUT requests for ``size`` bytes in at least ``parts`` objects.

    An object and its seal take one each. A larger object takes one for each uploaded part, one to begin and one to end.
    """
    objects = max(parts, size / PART_BYTES)
    return 2 * objects if size <= objects * UPLOAD_BYTES else size / UPLOAD_BYTES + 3 * objects


def get_requests(size: float, parts: float) -> float:
    """GET requests for ``size`` bytes in at least ``parts`` objects, and their seals."""
    return size / READ_BYTES + 2 * max(parts, size / PART_BYTES)


def transitions(segments: int, invocations: int, *, inline: bool) -> int:
    """State transitions of an execution and of its Maps' children.

    Eight states; a task and a Choice for each invocation; a Succeed for each segment in each Map. A segment of a
    Distributed Map also begins an execution of its own.
    """
    return 8 + 2 * invocations + len(MAPS) * segments * (1 if inline else 2)


def history_events(segments: int, invocations: int, *, inline: bool) -> int:
    """Events in an execution's history.

    Start and end 2; Plan, Gate, Finish and AnnounceSuccess 5 each (entered, scheduled, started, succeeded, exited);
    Succeeded 2; a Map 4, and 2 more for a Distributed Map's run. In an inline Map a segment adds 4 (its iteration and
    its Succeed state), an invocation 7 (a task's 5 and a Choice's 2). Source: API reference of Step Functions,
    HistoryEvent.
    """
    around = 2 + 4 * 5 + 2
    if not inline:
        return around + len(MAPS) * 6
    return around + len(MAPS) * (4 + 4 * segments) + 7 * invocations


def log_bytes(segments: int, invocations: int) -> float:
    """Bytes that the state machine, its functions and Lambda log."""
    events = history_events(segments, invocations, inline=True)
    return events * EVENT_LOG_BYTES + (invocations + STEPS) * INVOCATION_LOG_BYTES


def metric_hours(seconds: float) -> int:
    """Hours of metrics of a run that takes so long."""
    return (FUNCTION_METRICS + BUCKET_METRICS) * max(1, math.ceil(seconds / HOUR_SECONDS))
