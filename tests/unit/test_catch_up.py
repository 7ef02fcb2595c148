"""The watermark over sequences of runs: held against a model that knows every covered second."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.extract import plan
from etl.model.errors import CatchUpError
from etl.model.run import Run
from etl.settings import ExtractSettings
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.pipeline import ENVIRONMENT, EXECUTION, FakePipeline
from tests.fakes.s3 import FakeS3
from tests.unit.builders import ledger, source, staging

SETTINGS = ExtractSettings.from_env(ENVIRONMENT | {"CATCH_UP_DAYS": "5"})
LATENESS = timedelta(minutes=15)
FIRST_NIGHT = datetime(2024, 1, 16, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Model:
    """What the pipeline answers for: all from the first scheduled run's lookback on."""

    due: datetime | None = None
    covered: set[datetime] = field(default_factory=set)

    def scheduled(self, now: datetime) -> None:
        if self.due is None:
            self.due = now - 24 * HOUR

    def succeeded(self, run: Run) -> None:
        # By the hour: windows of these tests begin and end on hours, but for the lateness.
        start, end = (datetime.fromisoformat(text) for text in (run.start, run.end))
        hour = start.replace(minute=0) + (HOUR if start.minute else timedelta())
        while hour < end:
            self.covered.add(hour)
            hour += HOUR

    def complete_until(self) -> datetime | None:
        """The first hour from ``due`` on that no successful window covers."""
        hour = self.due
        while hour is not None and hour in self.covered:
            hour += HOUR
        return hour


class Nights:
    """A pipeline whose runs are planned and closed, in whatever order."""

    def __init__(self) -> None:
        self.s3, self.dynamodb = FakeS3(), FakeDynamoDB()
        self.ledger = ledger(self.dynamodb)
        self.model = Model()
        self.now = FIRST_NIGHT
        self._number = 0

    @property
    def watermark(self) -> datetime | None:
        return self.ledger.watermark()

    def start(self, given_input: Any = None) -> Run:
        self._number += 1
        execution = {"id": f"arn:execution:{self._number}", "name": "", "started_at": self.now.isoformat()}
        if not given_input:
            self.model.scheduled(self.now)
        planned = plan(given_input or {}, execution, SETTINGS, source(self.dynamodb), staging(self.s3), self.ledger)
        run: Run = planned["run"]
        return run

    def succeed(self, run: Run) -> None:
        self.model.succeeded(run)
        self.ledger.succeed(run, {}, self.now.isoformat())


def test_three_missed_nights_are_healed_by_one_run() -> None:
    nights = Nights()
    nights.succeed(nights.start())
    nights.now += 3 * 24 * HOUR
    nights.start()  # and fails
    nights.now += 24 * HOUR
    run = nights.start()
    nights.succeed(run)

    assert run.start == "2024-01-16T01:45:00Z"
    assert nights.watermark == nights.now


def test_a_night_that_failed_at_the_very_first_is_healed_too() -> None:
    nights = Nights()
    nights.start()
    nights.now += 24 * HOUR

    assert nights.start().start == "2024-01-15T01:45:00Z"


def test_a_backfill_before_the_first_night_sets_no_watermark() -> None:
    nights = Nights()
    nights.succeed(nights.start({"start": "2023-01-01", "end": "2023-02-01"}))

    assert nights.watermark is None
    assert nights.start().start == "2024-01-15T01:45:00Z"


def test_beyond_what_may_be_caught_up_on_the_backfills_that_the_error_names_help() -> None:
    nights = Nights()
    nights.succeed(nights.start())
    nights.now += 6 * 24 * HOUR
    with pytest.raises(CatchUpError, match=r'"start": "2024-01-16T02:00:00Z", "end": "2024-01-22T02:00:00Z"'):
        nights.start()
    for day in range(16, 22):
        nights.succeed(nights.start({"start": f"2024-01-{day}T02:00:00Z", "end": f"2024-01-{day + 1}T02:00:00Z"}))

    assert nights.watermark == nights.now
    nights.now += 24 * HOUR
    assert nights.start().start == "2024-01-22T01:45:00Z"


def test_two_runs_at_the_same_moment_cover_the_same_once() -> None:
    nights = Nights()
    first, second = nights.start(), nights.start()
    nights.succeed(second)
    nights.succeed(first)

    assert first.id != second.id
    assert nights.watermark == nights.now


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("night"), st.integers(1, 40)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
        st.tuples(st.just("succeed"), st.integers(0, 5)),
        st.tuples(st.just("backfill"), st.integers(1, 140), st.integers(1, 60)),
    ),
    max_size=30,
)


@given(STEPS)
@settings(max_examples=300)
def test_the_watermark_never_passes_what_no_successful_window_covered(steps: list[tuple[Any, ...]]) -> None:
    nights = Nights()
    going: list[Run] = []
    before: datetime | None = None
    for step in steps:
        if step[0] == "night":
            nights.now += step[1] * HOUR
            try:
                going.append(nights.start())
            except CatchUpError:
                assert nights.now - (nights.watermark or nights.now) > 5 * 24 * HOUR
            else:
                assert going[-1].end == nights.now.isoformat().replace("+00:00", "Z")
                due = datetime.fromisoformat(going[-1].start) + LATENESS
                assert due <= min(nights.now - 24 * HOUR, nights.watermark or nights.now)
        elif step[0] == "backfill":
            start = nights.now - step[1] * HOUR
            end = min(nights.now, start + step[2] * HOUR)
            going.append(nights.start({"start": start.isoformat(), "end": end.isoformat()}))
        elif going:
            run = going.pop(step[1] % len(going))
            if step[0] == "succeed":
                nights.succeed(run)
        watermark, complete = nights.watermark, nights.model.complete_until()
        assert (watermark is None) == (complete is None)
        if watermark and complete:
            assert watermark <= complete
            assert before is None or watermark >= before
        before = watermark


@given(STEPS)
def test_one_night_that_succeeds_heals_all_that_was_missed(steps: list[tuple[Any, ...]]) -> None:
    nights = Nights()
    going: list[Run] = []
    for step in steps:
        if step[0] == "night":
            nights.now += (step[1] % 5) * HOUR
            going.append(nights.start())
        elif step[0] == "succeed" and going:
            nights.succeed(going.pop(step[1] % len(going)))
    nights.succeed(nights.start())

    assert nights.watermark == nights.now == nights.model.complete_until()


def test_the_handlers_keep_the_ledger() -> None:
    pipeline = FakePipeline([])
    with pipeline.deployed():
        report = pipeline.run()
    (entry,) = pipeline.dynamodb.ledger.entries()

    assert entry["status"] == "SUCCEEDED"
    assert entry["execution"] == EXECUTION["id"]
    assert (entry["window_start"], entry["window_end"]) == (report["window"]["start"], report["window"]["end"])
    assert entry["counts"] == report["counts"]
    assert pipeline.dynamodb.ledger.watermark == report["window"]["end"]
