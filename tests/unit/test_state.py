"""The state of an execution, which Step Functions limits, after each of the stages at its largest."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from etl.gate import pass_gate
from etl.model.counts import COUNTS
from etl.model.run import Run, Work
from tests.fakes.s3 import FakeS3
from tests.unit.builders import ANY_SHARE, staging

KIBIBYTE = 1024
# An execution's name has at most 80 characters. Source: Step Functions API reference, StartExecution.
EXECUTION = f"arn:aws-us-gov:states:us-gov-west-1:111122223333:execution:etl-pipeline:{'x' * 80}"
# What Transform takes must add up to what Extract wrote.
LARGEST = dict.fromkeys(COUNTS, 99_999_999) | dict.fromkeys(("extract_bytes", "transform_bytes"), 99_999_999_999)
TAKEN = ("transformed", "dropped", "rejected_transform", "untimed")
LARGEST |= dict.fromkeys(TAKEN, 25_000_000) | {"extracted": 100_000_000, "read": 100_000_000, "left": 0, "ahead": 0}
PASSED_ON = ("transform_parts", "transform_quarantine_parts")
FIRST_OF_TRANSFORM, FIRST_OF_LOAD = COUNTS.index("transformed"), COUNTS.index("loaded")
BEHIND_LOAD = COUNTS.index("ahead")
OF_TRANSFORM = COUNTS[FIRST_OF_TRANSFORM:FIRST_OF_LOAD] + COUNTS[BEHIND_LOAD:]


def counted(segments: list[Work], names: tuple[str, ...]) -> list[Work]:
    """The segments after a stage has counted all that it counts, each as much as it plausibly can."""
    for work in segments:
        for name in names:
            work.count(name, LARGEST[name])
    return segments


def states(number: int) -> Iterator[tuple[str, Any]]:
    """What passes from state to state in an execution of so many segments."""
    run = Run(
        id="20261123T020000123Z",
        start="2026-11-22T01:45:00Z",
        end="2026-11-23T02:00:00Z",
        time="2026-11-23T02:00:00.123456Z",
        execution=EXECUTION,
        segments=number,
    )
    segments = [Work(segment=segment) for segment in range(number)]
    yield "Plan", {"run": run, "segments": segments}
    yield "Extract", {"run": run, "segments": counted(segments, COUNTS[:FIRST_OF_TRANSFORM])}
    yield "Transform", {"run": run, "segments": counted(segments, OF_TRANSFORM)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("etl.gate.check_set_aside", lambda *_: None)  # there are no objects
        state = pass_gate(run, segments, staging(FakeS3()), [], ANY_SHARE)
    yield "Gate", state
    yield "Load", state | {"segments": counted(state["segments"], COUNTS[FIRST_OF_LOAD:BEHIND_LOAD])}


@pytest.mark.parametrize(("segments", "most_kibibytes"), [(40, 16), (1000, 216)])
def test_the_state_stays_well_below_what_step_functions_takes(segments: int, most_kibibytes: int) -> None:
    # As Lambda writes it, with a space behind each comma and colon.
    sizes = {stage: len(json.dumps(msgspec.to_builtins(state))) for stage, state in states(segments)}

    assert list(sizes) == ["Plan", "Extract", "Transform", "Gate", "Load"]
    assert max(sizes.values()) < most_kibibytes * KIBIBYTE, sizes


def test_the_gate_takes_over_what_the_stages_before_it_counted() -> None:
    state = next(state for stage, state in states(3) if stage == "Gate")

    assert state["gate"]["counts"] == {
        name: 3 * LARGEST[name]
        for name in COUNTS[:FIRST_OF_TRANSFORM] + OF_TRANSFORM
        if LARGEST[name] and name not in PASSED_ON
    }
    assert [work.by_name() for work in state["segments"]] == [dict.fromkeys(PASSED_ON, 99_999_999)] * 3
