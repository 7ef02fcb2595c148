"""Following an execution, and what the board shows of it."""

from __future__ import annotations

import io
import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from etl.model.run import Run
from etl.model.stages import STATES
from etl_cli.render.board import Board, Step
from etl_cli.render.live_run import show_execution
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.history import Timeline
from etl_cli.runs.progress import Snapshot, Watch, follow
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.times import Times
from tests.cli.test_history import START
from tests.fakes.recording import Recording
from tests.unit.builders import work


def details(recording: Recording) -> list[str]:
    """What is said of the running stages and of those that ended, in the order in which it appears."""
    seen: list[str] = []
    for snapshot in follow(recording.deployment, recording.execution, 0):
        for step in stage_steps(snapshot, Times()):
            line = f"{step.name} {step.state}: {step.detail}"
            if step.state != "waiting" and line not in seen:
                seen.append(line)
    return seen


def test_a_recorded_execution_is_followed_to_its_end() -> None:
    assert details(Recording("succeeded")) == [
        "Plan running: fixing the window",
        "Plan succeeded: 2026-11-23 20:58:15 → 2026-11-24 21:13:15 UTC",
        "Extract running: 1.1 kB in 1 object",
        "Extract running: 38 items read (369/s), 1.1 kB in 1 object",
        "Extract succeeded: 38 items read (369/s), 50.4 kB",
        "Transform running: 785 B in 1 object",
        "Transform running: 38 of 38 items (43/s), 785 B in 1 object",
        "Transform succeeded: 37 records (42/s), 1 rejected, 35.6 kB",
        "Gate running: adding up the rejected records",
        "Gate succeeded: 2.6 % rejected",
        "Load running: 37 records",
        "Load running: 37 of 37 records (27/s)",
        "Load succeeded: 37 records loaded (27/s)",
        "Finish running: checking the balance",
        "Finish succeeded: every item is accounted for",
    ]


def test_following_ends_with_the_execution() -> None:
    recording = Recording("succeeded", step=10)
    snapshots = list(follow(recording.deployment, recording.execution, 0))

    assert len(snapshots) == len(recording.events) // 10 + 1
    assert snapshots[-1].timeline.status == "SUCCEEDED"
    assert snapshots[-1].timeline.output


def test_a_failure_is_shown_also_without_a_destination_table() -> None:
    recording = Recording("failed_at_gate")
    recording.dynamodb.tables.clear()

    assert details(recording)[-1] == "Gate failed: QualityGateError"


def distributed(**segments_done: int) -> Recording:
    """An execution of three segments, whose history does not show what its Maps do."""
    recording = Recording("succeeded")
    recording.stepfunctions.map_runs = segments_done
    within = False
    for event in [*recording.events]:
        within = event["type"] == "MapStateEntered" or (within and event["type"] != "MapStateExited")
        if within and event["type"].startswith("Task"):
            recording.events.remove(event)
        for name in ("stateEnteredEventDetails", "stateExitedEventDetails"):
            for field in ("input", "output"):
                if field in event.get(name, {}):
                    event[name][field] = event[name][field].replace('"segments": 1}', '"segments": 3}')
    return recording


def test_a_map_run_counts_the_segments_of_a_distributed_map() -> None:
    seen = details(distributed(Extract=1, Transform=2))

    assert [line for line in seen if " segments" in line and "running" in line] == [
        "Extract running: 1 of 3 segments, 1.1 kB in 1 object",
        "Transform running: 2 of 3 segments, 785 B in 1 object",
        "Load running: 37 records, 0 of 3 segments",  # its Map Run has not begun
    ]


def run_of(segments: int = 1) -> Run:
    start, end = "2026-11-23T19:45:00Z", "2026-11-24T20:00:00Z"
    return Run(id="20261124T200000000Z", start=start, end=end, time=end, execution="arn", segments=segments)


def step(timeline: Timeline, name: str, **seen: Any) -> Step:
    snapshot = Snapshot(timeline, looked_at=START + timedelta(seconds=20), **seen)
    return next(step for step in stage_steps(snapshot, Times()) if step.name == name)


@pytest.fixture
def loading() -> Timeline:
    """Load at work on four segments with 1,000 records."""
    timeline = Timeline(run=run_of(segments=4))
    for name in ("Plan", "Extract", "Transform", "Gate"):
        timeline.stages[name].end("succeeded", START)
    timeline.stages["Gate"].counts = {"records": 1000, "read": 1000}
    timeline.stages["Load"].state, timeline.stages["Load"].entered_at = "running", START
    return timeline


def test_load_shows_how_many_records_have_arrived(loading: Timeline) -> None:
    shown = step(loading, "Load", arrived=250, arriving=12.4)

    assert shown.detail == "250 of 1,000 records (12/s), 0 of 4 segments"
    assert shown.fraction == 0.25


def test_load_counts_by_workers_if_the_table_does_not_grow(loading: Timeline) -> None:
    loading.stages["Load"].add_work(
        [msgspec.to_builtins(work(loaded=500, superseded=20))], START + timedelta(seconds=10)
    )
    shown = step(loading, "Load", arrived=0)

    assert shown.detail == "520 of 1,000 records (52/s), 1 of 4 segments"
    assert shown.fraction == 0.52


def test_load_never_shows_more_than_all(loading: Timeline) -> None:
    assert step(loading, "Load", arrived=5000).fraction == 1


@pytest.mark.parametrize(
    ("failed", "throttled", "words"),
    [(2, 0, "2 calls failed, trying again"), (0, 13, "13 starts throttled by Lambda, trying again")],
)
def test_calls_that_are_tried_again_are_shown(loading: Timeline, failed: int, throttled: int, words: str) -> None:
    load = loading.stages["Load"]
    load.failed_invocations, load.throttled_starts = failed, throttled

    assert step(loading, "Load").detail == f"{words}, 1,000 records, 0 of 4 segments"


def test_transform_shows_how_many_items_it_has_taken() -> None:
    timeline = Timeline(run=run_of())
    timeline.stages["Extract"].counts = {"extracted": 1000}
    timeline.stages["Transform"].state, timeline.stages["Transform"].entered_at = "running", START
    taken = work(cursor={"part": 0, "offset": 9}, transformed=300, dropped=80, rejected_transform=10, untimed=10)
    timeline.stages["Transform"].add_work([msgspec.to_builtins(taken)], START + timedelta(seconds=2))
    shown = step(timeline, "Transform", staged_objects=1, staged_bytes=1_500_000)

    assert shown.detail == "400 of 1,000 items (200/s), 1.5 MB in 1 object"
    assert shown.fraction == 0.4


def test_items_without_a_time_do_not_count_for_the_gate() -> None:
    timeline = Timeline(run=run_of())
    counts = {"read": 110, "records": 9, "rejected_transform": 1, "untimed": 100}
    for name in ("Transform", "Gate"):
        timeline.stages[name].state, timeline.stages[name].counts = "succeeded", counts

    assert step(timeline, "Transform").detail == "9 records, 1 rejected, 100 without a time"
    assert step(timeline, "Gate").detail == "10.0 % rejected"


@pytest.mark.parametrize(("entered", "seconds"), [(0, 20), (60, 0)])
def test_a_stage_has_its_real_age_unless_a_clock_is_ahead(loading: Timeline, entered: int, seconds: int) -> None:
    loading.stages["Load"].entered_at = START + timedelta(seconds=entered)

    assert step(loading, "Load").seconds == seconds


def test_the_rate_of_arrival_is_known_from_the_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = loading_recording()
    destination = recording.dynamodb.tables["etl-destination-data"]
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watch = Watch(recording.deployment, recording.execution)

    destination += [{}] * 70
    first = watch.look()
    destination += [{}] * 30
    now[0] += 4
    second = watch.look()

    assert (first.arrived, first.arriving) == (70, 0)
    assert (second.arrived, second.arriving) == (100, 7.5)


def test_growth_is_unknown_while_other_runs_write() -> None:
    recording = loading_recording()
    watch = Watch(recording.deployment, recording.execution, sole_writer=False)
    recording.dynamodb.tables["etl-destination-data"] += [{}] * 30

    assert watch.look().arrived is None


def loading_recording() -> Recording:
    """An execution that has come to Load, and stays there."""
    recording = Recording("succeeded", step=0)
    entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in recording.events]
    recording.stepfunctions.shown = entered.index("Load") + 1
    return recording


def test_instants_are_printed_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        plan = stage_steps(Snapshot(ended("succeeded")), Times(local=True))[0]
    finally:
        monkeypatch.undo()
        time.tzset()

    assert plan.detail == "2026-11-24 05:58:15 → 2026-11-25 06:13:15 JST"


def ended(name: str) -> Timeline:
    """The whole history of a recorded execution."""
    *_, last = follow(Recording(name, step=1000).deployment, Recording(name).execution, 0)
    return last.timeline


@pytest.mark.parametrize("sets_clock", [True, False])
def test_a_board_of_one_execution_is_as_old_as_that(sets_clock: bool) -> None:
    recording = Recording("succeeded", step=10)
    board = Board(Terminal(file=io.StringIO()), STATES)
    timeline = show_execution(board, recording.deployment, recording.execution, Times(), 0, sets_clock=sets_clock)

    assert (board.seconds == pytest.approx(timeline.seconds, abs=0.5)) is sets_clock
