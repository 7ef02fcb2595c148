"""The keys of a run's objects in the staging bucket.

Every key is a function of run, stage, segment and part. So a retry overwrites its own object, two runs never share
one, and no list of keys travels through the workflow.
"""

import re

from etl.model.run import Run
from etl.model.stages import EXTRACT, TRANSFORM

QUARANTINE = "quarantine/"
"""The beginning of the keys of all quarantined objects."""

QUARANTINED = f"{QUARANTINE}*"
"""The pattern of the keys of all quarantined objects."""

_PART = re.compile(r"(\d{4,})-(\d{4,})\.json")


def part_key(stage: str, run: Run, segment: int, part: int) -> str:
    """Key of one part of a stage's output; ``extract/{run}/data.json`` for the first part of a run of one segment."""
    name = "data" if run.segments == 1 and part == 0 else f"{segment:04d}-{part:04d}"
    return f"{stage_prefix(stage, run.id)}{name}.json"


def quarantine_key(stage: str, run: Run, segment: int, part: int) -> str:
    """Key of the records that ``stage`` rejected in one part of a segment."""
    return f"{quarantine_prefix(run.id)}{stage}-{segment:04d}-{part:04d}.json"


def quarantine_prefix(run: str) -> str:
    """The beginning of the keys of a run's quarantine."""
    return f"{QUARANTINE}{run}/"


def partial_key(run: Run, segment: int, part: int) -> str:
    """Key of the aggregates of one part of a segment, before the gate merges them."""
    return f"{_partials_prefix(TRANSFORM, run.id)}{segment:04d}-{part:04d}.json"


def begun_key(stage: str, run: Run, segment: int, part: int, offset: int) -> str:
    """Key of the mark that ``stage`` has begun a segment from a cursor on. It is not among the records."""
    return f"{_partials_prefix(stage, run.id)}begun-{segment:04d}-{part:04d}-{offset}.json"


def aggregates_key(run: Run) -> str:
    """Key of the run's merged aggregates."""
    return f"{stage_prefix(TRANSFORM, run.id)}aggregates.json"


def seal_key(key: str) -> str:
    """Key of the seal of the object with this key: see ``seal.py``."""
    return f"seals/{key}"


def replayed_key(run: str) -> str:
    """Key of the list of quarantined objects that a replay takes up."""
    return f"{stage_prefix(EXTRACT, run)}replayed.json"


def manifest_key(run: str) -> str:
    """Key of a run's manifest, which is also its claim to its id."""
    return f"{stage_prefix(EXTRACT, run)}run.json"


def stage_prefix(stage: str, run: str) -> str:
    """The beginning of the keys of all objects that a stage writes for a run, parts and others."""
    return f"{stage}/{run}/"


def _partials_prefix(stage: str, run: str) -> str:
    """The beginning of the keys of a stage's objects that aren't records."""
    return f"{stage_prefix(stage, run)}partials/"


def pattern_of(stage: str) -> str:
    """The pattern of the keys of all objects of a stage, for the stack's policies. Their ``*`` also matches a slash."""
    return f"{stage}/*"


def partials_pattern(stage: str) -> str:
    """The pattern of the keys of all objects of a stage that aren't records."""
    return f"{_partials_prefix(stage, '*')}*"


def part_of(key: str) -> tuple[int, int] | None:
    """The segment and the part in a key of `part_key`; None for any other key."""
    name = key.split("/", 2)[-1]
    if name == "data.json":
        return 0, 0
    found = _PART.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def run_of(key: str) -> str:
    """The run's id in the key of one of its objects."""
    return key.split("/")[1]
