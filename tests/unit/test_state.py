"""The state of an execution, which Step Functions limits, after each of the stages at its largest."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from etl.gate import pass_gate
from etl.model.change_time import MOST_STEPS, ChangeTime
from etl.model.counts import COUNTS, PASSED_ON, STAGE_OF
from etl.model.keys import KeyAttribute
from etl.model.run import Run, Work
from etl.model.schema import SPECIFIED, Schema
from etl.model.source_filter import MOST_FILTER_BYTES, SourceFilter
from etl.model.stages import ACTIONS, BEFORE_GATE, FINISH, GATE, LOAD, PLAN
from tests.fakes.s3 import FakeS3
from tests.unit.builders import ANY_SHARE, staging

KIBIBYTE = 1024
# An execution's name has at most 80 characters. Source: Step Functions API reference, StartExecution.
EXECUTION = f"arn:aws-us-gov:states:us-gov-west-1:111122223333:execution:etl-pipeline:{'x' * 80}"
# The outcomes of Transform must add up to the extracted items.
LARGEST = dict.fromkeys(COUNTS, 99_999_999) | dict.fromkeys(("extract_bytes", "transform_bytes"), 99_999_999_999)
TAKEN = ("transformed", "dropped", "rejected_transform", "untimed", "outside", "excluded")
LARGEST |= dict.fromkeys(TAKEN, 16_666_666) | {"extracted": 99_999_996, "read": 99_999_996, "left": 0, "ahead": 0}
OF = {stage: tuple(name for name in COUNTS if STAGE_OF[name] == stage) for stage in ACTIONS}


def counted(segments: list[Work], names: tuple[str, ...]) -> list[Work]:
    """The segments after a stage with its largest plausible counts."""
    for work in segments:
        for name in names:
            work.count(name, LARGEST[name])
    return segments


NAME = "й" * 127  # a name of 254 bytes, the longest of whole letters
LARGEST_SCHEMA = Schema(
    source=(KeyAttribute(NAME, "B"), KeyAttribute(NAME + "x", "B")),
    destination=(KeyAttribute(NAME, "B"), KeyAttribute(NAME + "x", "B")),
    time=ChangeTime(
        path=(NAME,) * MOST_STEPS, format="iso_local", zone="America/Argentina/ComodRivadavia", missing="include"
    ),
    filter=SourceFilter(expression="й" * (MOST_FILTER_BYTES // 2)),
)


def states(number: int, schema: Schema = SPECIFIED) -> Iterator[tuple[str, Any]]:
    """The state after each stage, in an execution of so many segments."""
    run = Run(
        id="20261123T020000123Z",
        start="2026-11-22T01:45:00Z",
        end="2026-11-23T02:00:00Z",
        time="2026-11-23T02:00:00.123456Z",
        execution=EXECUTION,
        segments=number,
        schema=schema,
    )
    segments = [Work(segment=segment) for segment in range(number)]
    yield PLAN, {"run": run, "segments": segments}
    for stage in BEFORE_GATE[1:]:
        segments = counted(segments, OF[stage] + (OF[GATE] if stage == BEFORE_GATE[-1] else ()))
        yield stage, {"run": run, "segments": segments}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("etl.gate.check_set_aside", lambda *_: None)  # there are no objects
        state = pass_gate(run, segments, staging(FakeS3()), [], ANY_SHARE)
    yield GATE, state
    yield LOAD, state | {"segments": counted(state["segments"], OF[LOAD])}


@pytest.mark.parametrize(
    ("segments", "schema", "most_kibibytes"),
    [(40, SPECIFIED, 16), (1000, SPECIFIED, 240), (1000, LARGEST_SCHEMA, 252)],
    ids=["inline", "distributed", "any table"],
)
def test_the_state_stays_below_the_limit_of_step_functions(segments: int, schema: Schema, most_kibibytes: int) -> None:
    # As Lambda writes it, with a space after each comma and colon.
    sizes = {stage: len(json.dumps(msgspec.to_builtins(state))) for stage, state in states(segments, schema)}

    assert list(sizes) == [action for action in ACTIONS if action != FINISH]
    assert max(sizes.values()) < most_kibibytes * KIBIBYTE, sizes


def test_gate_adds_up_the_counts_of_the_stages_before_it() -> None:
    state = next(state for stage, state in states(3) if stage == GATE)

    assert state["gate"]["counts"] == {
        name: 3 * LARGEST[name]
        for name in COUNTS
        if LARGEST[name] and STAGE_OF[name] in (*BEFORE_GATE, GATE) and name not in PASSED_ON
    }
    assert [work.by_name() for work in state["segments"]] == [dict.fromkeys(PASSED_ON, 99_999_999)] * 3
