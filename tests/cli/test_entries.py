"""The ledger's entries, as the command reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from etl.model.names import ETL
from etl_cli.runs.ledger import LedgerEntry, find_run, read_ledger
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Span
from tests.fakes.recording import RecordedTables

NOW = datetime(2026, 11, 5, tzinfo=UTC)


def at(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


SUCCEEDED: dict[str, Any] = {
    "kind": {"S": "run"},
    "id": {"S": "first"},
    "status": {"S": "SUCCEEDED"},
    "run": {"S": "20261103T020000000Z"},
    "execution": {"S": "arn:aws:states:eu-west-1:111122223333:execution:etl-pipeline:first"},
    "window_start": {"S": "2026-11-02T02:00:00Z"},
    "window_end": {"S": "2026-11-03T02:00:00Z"},
    "started_at": {"S": "2026-11-03T02:00:00Z"},
    "finished_at": {"S": "2026-11-03T02:01:30Z"},
    "segments": {"N": "2"},
    "counts": {"M": {"read": {"N": "12"}, "loaded": {"N": "11"}}},
    "replayed": {"M": {"run": {"S": "20261103T090000000Z"}, "loaded": {"N": "1"}}},
}
FAILED: dict[str, Any] = {
    "kind": {"S": "run"},
    "id": {"S": "second"},
    "status": {"S": "FAILED"},
    "execution": {"S": "arn:aws:states:eu-west-1:111122223333:execution:etl-pipeline:second"},
    "started_at": {"S": "2026-11-04T02:00:00Z"},
    "finished_at": {"S": "2026-11-04T02:00:01Z"},
    "stage": {"S": "Plan"},
    "error": {"S": "InputError"},
    "cause": {"S": "unknown field"},
}


class Ledger(RecordedTables):
    """A ledger with these entries, and no watermark unless it is set."""

    def __init__(self, *items: dict[str, Any]) -> None:
        super().__init__({})
        self._items = items
        self.watermark: dict[str, Any] = {}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return [{"Items": [item]} for item in self._items]

    def get_item(self, **_: Any) -> Any:
        return self.watermark


def entries(*items: dict[str, Any]) -> list[LedgerEntry]:
    return read_ledger(cast(Any, Ledger(*items)), ETL, NOW)[0]


@pytest.mark.parametrize("name", ["window_start", "started_at", "finished_at"])
def test_a_time_changed_by_hand_is_refused_with_its_row(name: str) -> None:
    with pytest.raises(UserError, match=rf'^{name} must be a time .*"first".*aws dynamodb update-item'):
        entries(SUCCEEDED | {name: {"S": "soon"}})


@pytest.mark.parametrize(("name", "value"), [("since", "soon"), ("end", "soon"), ("end", "2026-11-03")])
def test_a_watermark_changed_by_hand_is_refused(name: str, value: str) -> None:
    ledger = Ledger(SUCCEEDED)
    row = {"kind": {"S": "watermark"}, "id": {"S": "watermark"}}
    times = {each: {"S": "2026-11-03T02:00:00Z"} for each in ("since", "end")}
    ledger.watermark = {"Item": row | times | {name: {"S": value}}}

    with pytest.raises(UserError, match=rf"^{name} must be a time .*got .*{value}.*aws dynamodb update-item"):
        read_ledger(cast(Any, ledger), ETL, NOW)


def test_a_count_that_is_no_whole_number_is_left_out() -> None:
    [entry] = entries(SUCCEEDED | {"counts": {"M": {"read": {"N": "1.5"}, "loaded": {"N": "11"}}}})

    assert entry.counts == {"loaded": 11}


def test_all_that_an_entry_says_is_read() -> None:
    [entry] = entries(SUCCEEDED)

    assert entry == LedgerEntry(
        status="SUCCEEDED",
        window=Span(at(2), at(3)),
        name="first",
        execution="arn:aws:states:eu-west-1:111122223333:execution:etl-pipeline:first",
        run="20261103T020000000Z",
        started=at(3),
        finished=datetime(2026, 11, 3, 2, 1, 30, tzinfo=UTC),
        segments=2,
        counts={"read": 12, "loaded": 11},
        replayed={"run": "20261103T090000000Z", "loaded": 1},
    )
    assert entry.seconds == 90


def test_the_execution_that_started_last_comes_first() -> None:
    assert [entry.name for entry in entries(SUCCEEDED, FAILED)] == ["second", "first"]
    assert [entry.name for entry in entries(SUCCEEDED, {"id": {"S": "bare"}, "status": {"S": "FAILED"}})] == [
        "first",
        "bare",
    ]


@pytest.mark.parametrize(
    "name", ["20261103T020000000Z", "first", "arn:aws:states:eu-west-1:111122223333:execution:etl-pipeline:first"]
)
def test_a_run_is_found_by_any_of_its_names(name: str) -> None:
    assert find_run(entries(SUCCEEDED, FAILED), name).name == "first"


def test_the_latest_run_has_a_name_of_its_own() -> None:
    assert find_run(entries(SUCCEEDED, FAILED), "latest").name == "second"


def test_an_unknown_run_is_answered_with_allowed_names() -> None:
    with pytest.raises(UserError, match="no run 'third'") as caught:
        find_run(entries(SUCCEEDED), "third")
    assert "20261103T020000000Z" in caught.value.remedy
    with pytest.raises(UserError, match="no run yet"):
        find_run([], "latest")


@pytest.mark.parametrize(
    ("minutes", "status"), [(0, "RUNNING"), (35, "RUNNING"), (36, "UNKNOWN"), (60 * 24 * 400, "UNKNOWN")]
)
def test_a_run_is_running_for_as_long_as_it_may(minutes: int, status: str) -> None:
    started = (NOW - timedelta(minutes=minutes)).isoformat()
    [entry] = entries(SUCCEEDED | {"status": {"S": "RUNNING"}, "started_at": {"S": started}})

    assert entry.status == status


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_recorded_end_stays(status: str) -> None:
    [entry] = entries(SUCCEEDED | {"status": {"S": status}, "started_at": {"S": "2020-01-01T00:00:00Z"}})

    assert entry.status == status
