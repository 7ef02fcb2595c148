"""The job of one process of the benchmark."""

from dataclasses import dataclass, field
from typing import Any

TABLES: dict[str, dict[str, Any]] = {
    "key of text and number": {
        "schema": {
            "source": [{"name": "id", "type": "S"}, {"name": "quantity", "type": "N"}],
            "destination": [{"name": "id", "type": "S"}, {"name": "quantity", "type": "N"}],
        }
    },
    # Quantities are below 40: seconds of a window that begins in 1970.
    "epoch cursor": {
        "schema": {"time": {"path": ["quantity"], "format": "epoch_s"}},
        "start": "1970-01-01T00:00:00Z",
    },
}
"""Descriptions of the dataset's tables, as a run has them, by name."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One variant, one stage, one number of items.

    Attributes:
        variant: name of a module of ``bench.variants``.
        stage: extract, transform or load.
        items: items of the table, or records of the staged input.
        dense: whether every item is in the window; else 1 in 100 is.
        parts: how many staged objects hold the input of our transform and load; the peers read one.
        invocation_seconds: time that one invocation has.
        cgroups: folders of the control groups to join; none for the whole machine.
        profile: file to write a profile to; empty for none.
        tables: name of a description of the tables; empty for the specification's.
    """

    variant: str
    stage: str
    items: int
    dense: bool = True
    parts: int = 1
    invocation_seconds: float = 300.0
    cgroups: list[str] = field(default_factory=list)
    profile: str = ""
    tables: str = ""


@dataclass(kw_only=True)
class Measured:
    """The cost of one process between set-up and end.

    Attributes:
        cpu_seconds: user and system time.
        wall_seconds: time by the clock.
        peak_mb: largest resident memory of the process, in MB of 10^6 bytes.
        base_mb: resident memory after set-up, before the first item.
        facts: further facts of the variant, such as the number of invocations.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    base_mb: float
    facts: dict[str, Any] = field(default_factory=dict)
