from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from botocore.exceptions import ClientError

from etl.ledger import Ledger
from etl.model.errors import ConfigurationError, Reason, TransientError, reason_of
from etl.model.run import Run
from tests.fakes.faults import client_error
from tests.fakes.ledger import FakeLedgerTable
from tests.unit.builders import run

FINISHED = "2024-01-16T02:10:00.000Z"


def ledger(table: FakeLedgerTable, name: str = "ledger") -> Ledger:
    return Ledger(cast("Any", table), name)


def named(name: str, start: str = "2024-01-15T00:00:00Z", end: str = "2024-01-16T00:00:00Z") -> Run:
    execution = f"arn:aws:states:eu-central-1:123456789012:execution:etl-pipeline:{name}"
    return msgspec.structs.replace(run(), execution=execution, start=start, end=end)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_before_the_first_scheduled_run_there_is_no_watermark() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("a"))

    assert ledger(table).watermark() is None


def test_a_run_begins_with_an_entry() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("a"))

    assert table.entry("a") == {
        "kind": "run",
        "id": "a",
        "status": "RUNNING",
        "run": "20240116T020000123Z",
        "execution": "arn:aws:states:eu-central-1:123456789012:execution:etl-pipeline:a",
        "window_start": "2024-01-15T00:00:00Z",
        "window_end": "2024-01-16T00:00:00Z",
        "started_at": "2024-01-16T02:00:00.123Z",
        "segments": 1,
        "origin": "execution",
    }


def test_only_the_first_scheduled_run_sets_the_watermark() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("a"), instant("2024-01-15T00:15:00Z"))
    ledger(table).begin(named("b"), instant("2024-01-14T00:15:00Z"))

    assert ledger(table).watermark() == instant("2024-01-15T00:15:00Z")


def test_where_the_watermark_began_stays_known() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("first"), instant("2024-01-15T00:00:00Z"))
    succeeded(table, named("a"))
    watermark = table.items["watermark", "watermark"]

    assert (watermark["since"]["S"], watermark["end"]["S"]) == ("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z")
    assert watermark["run"]["S"] == named("a").id


@pytest.mark.parametrize(
    "value",
    [
        {"S": "yesterday"},
        {"S": ""},
        {"S": "2024-01-15T00:00:00"},
        {"S": "2024-01-15"},
        {"S": "2024-01-15T01:00:00+01:00"},
        {"N": "1705276800"},
        {"S": "x" * 1000},
        None,
    ],
)
def test_a_watermark_changed_by_hand_is_refused_with_a_line(value: Any) -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("first"), instant("2024-01-15T00:00:00Z"))
    table.items["watermark", "watermark"]["end"] = value

    with pytest.raises(
        ConfigurationError, match=r"^end must be a time like .* in row .*watermark.* of table ledger"
    ) as e:
        ledger(table).watermark()

    assert reason_of("ConfigurationError", str(e.value)) is Reason.LEDGER_CHANGED
    assert "aws dynamodb update-item --table-name ledger --key" in str(e.value)
    assert ascii(value)[:40] in str(e.value)
    assert len(str(e.value)) < 800


def test_an_end_changed_by_hand_is_refused_with_the_row() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("a"))
    table.items["run", "a"]["finished_at"] = {"S": "soon"}

    with pytest.raises(
        ConfigurationError, match=r'^finished_at must be .*"id": \{"S": "a"\}.*got .*soon.*ledger-changed'
    ):
        ledger(table).end_of(named("a"))


def test_a_late_beginning_does_not_open_a_run_that_has_succeeded() -> None:
    table = FakeLedgerTable()
    succeeded(table, named("a"))
    ledger(table).begin(named("a"))

    assert table.entry("a")["status"] == "SUCCEEDED"


def test_a_run_that_failed_begins_anew_when_it_is_redriven() -> None:
    table = FakeLedgerTable()
    table.items["run", "a"] = {"kind": {"S": "run"}, "id": {"S": "a"}, "status": {"S": "FAILED"}}
    ledger(table).begin(named("a"))

    assert table.entry("a")["status"] == "RUNNING"


def test_a_name_that_is_given_again_is_another_run() -> None:
    table = FakeLedgerTable()
    succeeded(table, named("a"))
    ledger(table).begin(msgspec.structs.replace(named("a"), id="20240616T020000123Z"))

    assert (table.entry("a")["status"], table.entry("a")["run"]) == ("RUNNING", "20240616T020000123Z")


def test_an_error_of_the_table_is_raised_as_it_is() -> None:
    for call in (1, 2):
        table = FakeLedgerTable()
        table.faults.fail(call, lambda: client_error("AccessDeniedException"))

        with pytest.raises(ClientError, match="AccessDenied"):
            ledger(table).begin(named("a"), instant("2024-01-15T00:15:00Z"))


def succeeded(table: FakeLedgerTable, given: Run) -> None:
    ledger(table).begin(given)
    ledger(table).succeed(given, {"loaded": 3, "read": 4}, FINISHED)


def test_success_closes_the_entry_with_its_counts() -> None:
    table = FakeLedgerTable()
    succeeded(table, named("a"))
    entry = table.entry("a")

    assert (entry["status"], entry["finished_at"], entry["counts"]) == ("SUCCEEDED", FINISHED, {"loaded": 3, "read": 4})
    assert table.watermark is None


@pytest.mark.parametrize(
    ("start", "end", "moved"),
    [
        pytest.param("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z", True, id="from the watermark on"),
        pytest.param("2024-01-14T23:45:00Z", "2024-01-16T00:00:00Z", True, id="from before it"),
        pytest.param("2024-01-15T00:00:01Z", "2024-01-16T00:00:00Z", False, id="from behind it: a gap is left"),
        pytest.param("2024-01-14T00:00:00Z", "2024-01-15T00:00:00Z", False, id="up to it"),
        pytest.param("2024-01-13T00:00:00Z", "2024-01-14T00:00:00Z", False, id="before it"),
    ],
)
def test_the_watermark_moves_only_from_within_the_window(start: str, end: str, moved: bool) -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("first"), instant("2024-01-15T00:00:00Z"))
    succeeded(table, named("a", start, end))

    assert table.watermark == (end if moved else "2024-01-15T00:00:00Z")
    assert table.entry("a")["status"] == "SUCCEEDED"


def test_a_success_written_twice_is_the_same() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("a"), instant("2024-01-15T00:00:00Z"))
    for _ in range(2):
        ledger(table).succeed(named("a"), {"loaded": 3}, FINISHED)

    assert table.watermark == "2024-01-16T00:00:00Z"
    assert table.entry("a")["status"] == "SUCCEEDED"


def test_a_run_that_failed_and_was_redriven_has_no_failure_left() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("a"))
    failure = {"status": "FAILED", "error": "BalanceError", "cause": "one is missing", "stage": "Gate"}
    table.items["run", "a"] |= {name: {"S": value} for name, value in failure.items()}
    ledger(table).succeed(named("a"), {}, FINISHED)

    assert table.entry("a")["status"] == "SUCCEEDED"
    assert not {"error", "cause", "stage"} & table.entry("a").keys()


def test_another_transaction_on_the_watermark_passes() -> None:
    table = FakeLedgerTable()
    table.conflicts = 1
    ledger(table).begin(named("a"), instant("2024-01-15T00:00:00Z"))

    with pytest.raises(TransientError, match="run 20240116T020000123Z: another run"):
        ledger(table).succeed(named("a"), {}, FINISHED)
    assert table.entry("a")["status"] == "RUNNING"


def test_the_entry_is_not_closed_without_the_watermark() -> None:
    table = FakeLedgerTable()
    ledger(table).begin(named("a"), instant("2024-01-15T00:00:00Z"))
    table.faults.fail(3, lambda: client_error("InternalServerError", 500))

    with pytest.raises(ClientError):
        ledger(table).succeed(named("a"), {}, FINISHED)
    assert (table.entry("a")["status"], table.watermark) == ("RUNNING", "2024-01-15T00:00:00Z")
