"""Where each object of a run lies in the staging bucket.

Every key is a function of run, stage, segment and part: a retry overwrites its own object, two runs never
share one, and nothing has to carry lists of keys.
"""

import re

from etl.model.run import Run

QUARANTINE = "quarantine/"
"""The prefix of all rejected records."""

_PART = re.compile(r"(\d{4,})-(\d{4,})\.json")


def part_key(stage: str, run: Run, segment: int, part: int) -> str:
    """Key of one part of a stage's output; ``extract/{timestamp}/data.json`` for a run's first and only one."""
    name = "data" if run.segments == 1 and part == 0 else f"{segment:04d}-{part:04d}"
    return f"{stage}/{run.id}/{name}.json"


def quarantine_key(stage: str, run: Run, segment: int, part: int) -> str:
    """Key of the records that ``stage`` rejected in one part of a segment."""
    return f"{quarantine_prefix(run.id)}{stage}-{segment:04d}-{part:04d}.json"


def quarantine_prefix(timestamp: str) -> str:
    """What the keys of all that a run rejected begin with."""
    return f"quarantine/{timestamp}/"


def partial_key(run: Run, segment: int, part: int) -> str:
    """Key of the aggregates of one part of a segment, before the gate merges them."""
    return f"transform/{run.id}/partials/{segment:04d}-{part:04d}.json"


def begun_key(stage: str, run: Run, segment: int, part: int, offset: int) -> str:
    """Key of the mark that ``stage`` has begun to work on a segment from a cursor on; not among the records."""
    return f"{stage}/{run.id}/partials/begun-{segment:04d}-{part:04d}-{offset}.json"


def aggregates_key(run: Run) -> str:
    """Key of the run's merged aggregates."""
    return f"transform/{run.id}/aggregates.json"


def seal_key(key: str) -> str:
    """Key of the seal of the object with this key: see ``seal.py``."""
    return f"seals/{key}"


def replayed_key(timestamp: str) -> str:
    """Key of the list of the objects in quarantine that a replay takes up."""
    return f"extract/{timestamp}/replayed.json"


def manifest_key(timestamp: str) -> str:
    """Key of the run's manifest, which also is its claim to the timestamp."""
    return f"extract/{timestamp}/run.json"


def stage_prefix(stage: str, run_id: str) -> str:
    """The prefix of all objects that a stage writes for a run, parts and others."""
    return f"{stage}/{run_id}/"


def part_of(key: str) -> tuple[int, int] | None:
    """The segment and the part of a key that `part_key` made; None for any other key."""
    name = key.split("/", 2)[-1]
    if name == "data.json":
        return 0, 0
    found = _PART.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def run_id_of(key: str) -> str:
    """The run's id in the key of one of its objects."""
    return key.split("/")[1]
