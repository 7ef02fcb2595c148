"""`etl gaps`: what it reads from the ledger, and what it prints."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.names import ETL
from etl_cli.app import app
from etl_cli.commands.gaps import coverage_document, fill_lines, print_coverage
from etl_cli.runs.coverage import Coverage
from etl_cli.runs.ledger import LedgerEntry, Watermark, read_ledger
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Span, Times
from tests.docs.examples import example
from tests.fakes.aws import FakeAws, RefusalError
from tests.fakes.state_machine import FakeStateMachine

MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:etl-pipeline"


def at(day: int) -> datetime:
    return datetime(2026, 11, day, 2, tzinfo=UTC)


GAP = Span(at(3), at(4))
MARK = Watermark(at(1), at(3))
FILL = partial(fill_lines, MACHINE, EtlLines(program="etl"))


NOW = datetime(2026, 11, 5, tzinfo=UTC)


def read(
    *runs: dict[str, str], watermark: dict[str, str] | None = None, **place: str
) -> tuple[list[LedgerEntry], Watermark | None]:
    """The ledger with these runs, a page for each, as it is read; without any run and watermark it is missing."""

    def query(**asked: Any) -> dict[str, Any]:
        assert (asked["TableName"], asked["ConsistentRead"]) == ("etl-run-ledger", True)
        if not (runs or watermark):
            raise RefusalError("ResourceNotFoundException")
        page = int(asked.get("ExclusiveStartKey", {"id": {"N": "0"}})["id"]["N"])
        more = {"LastEvaluatedKey": {"id": {"N": str(page + 1)}}} if page + 1 < len(runs) else {}
        return {"Items": [texts(run) for run in runs[page : page + 1]]} | more

    def get_item(**asked: Any) -> dict[str, Any]:
        assert asked["ConsistentRead"]
        return {"Item": texts(watermark)} if watermark else {}

    aws = FakeAws({"dynamodb.Query": query, "dynamodb.GetItem": get_item}, **place)
    return read_ledger(aws.session.client("dynamodb"), ETL, NOW)


def texts(item: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in item.items()}


def test_runs_are_read_with_or_without_a_window() -> None:
    window = {"window_start": "2026-11-03T02:00:00Z", "window_end": "2026-11-04T02:00:00Z"}

    runs, watermark = read({"status": "SUCCEEDED", **window}, {"status": "FAILED"})

    assert runs == [LedgerEntry("SUCCEEDED", GAP), LedgerEntry("FAILED", None)]
    assert watermark is None


def test_the_watermark_is_read_with_where_it_began() -> None:
    watermark = {"since": "2026-11-01T02:00:00Z", "end": "2026-11-03T02:00:00Z", "run": "20261103T020000000Z"}

    assert read(watermark=watermark) == ([], MARK)


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [("https://aws.example", "cdk deploy EtlPipelineStack"), ("http://127.0.0.1:4566", "etl local deploy")],
)
def test_without_a_ledger_the_stack_has_to_be_deployed(endpoint: str, line: str) -> None:
    with pytest.raises(UserError, match="no table etl-run-ledger") as caught:
        read(endpoint=endpoint)
    assert caught.value.remedy == f"Deploy the stack: {line}"


def test_each_gap_has_the_commands_that_fill_it() -> None:
    document = coverage_document(FILL, Coverage([GAP], None, None), MARK)

    assert document["watermark"] == "2026-11-03T02:00:00Z"
    (gap,) = document["gaps"]
    assert (gap["start"], gap["end"]) == ("2026-11-03T02:00:00Z", "2026-11-04T02:00:00Z")
    assert gap["etl_command"] == f"etl run --start {gap['start']} --end {gap['end']}"
    words = shlex.split(gap["command"])
    assert words[:5] == ["aws", "stepfunctions", "start-execution", "--state-machine-arn", MACHINE]
    assert json.loads(words[-1]) == {"start": gap["start"], "end": gap["end"]}


def test_the_commands_look_where_the_gaps_were_found() -> None:
    lines = fill_lines(MACHINE, EtlLines("the night", "eu-west-1", "etl"), GAP)

    assert [shlex.split(line)[-4:] for line in lines] == [["--profile", "the night", "--region", "eu-west-1"]] * 2


def test_programs_get_the_time_that_waits_for_the_next_run() -> None:
    document = coverage_document(FILL, Coverage([], GAP, None), MARK)

    assert document["gaps"] == []
    assert document["pending"]["start"] == "2026-11-03T02:00:00Z"


def printed(coverage: Coverage, capsys: pytest.CaptureFixture[str], watermark: Watermark | None = MARK) -> str:
    print_coverage(FILL, coverage, watermark, Times())
    return capsys.readouterr().out


def test_gaps_are_printed_with_their_length_and_their_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Coverage([GAP], None, None), capsys) == example("etl gaps")


def test_no_gaps_are_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Coverage([], GAP, None), capsys).startswith("No gaps.\n\nWatermark: ")
    assert printed(Coverage([], None, None), capsys, None) == "No gaps.\n\nThe schedule has not run yet.\n"


@pytest.mark.parametrize(("form", "code"), [("none", 0), ("iso", 1)])
def test_without_a_change_time_a_later_run_fills_gaps(machine: FakeStateMachine, form: str, code: int) -> None:
    variables = {"Variables": {"SOURCE_CURSOR_FORMAT": form}}
    machine.aws.answers["lambda.GetFunctionConfiguration"] = {"Environment": variables}
    rows = [
        {"id": day, "status": status, "window_start": f"{day}T02:00:00Z", "window_end": f"{day}T03:00:00Z"}
        for day, status in (("2026-11-01", "FAILED"), ("2026-11-02", "SUCCEEDED"))
    ]
    machine.aws.answers["dynamodb.Query"] = {"Items": [texts(row) for row in rows]}
    done = CliRunner().invoke(app, ["gaps"])

    assert done.exit_code == code
    assert ("No gaps." in done.stdout) is (form == "none")
    assert ("no change time" in done.stdout) is (form == "none")


def test_a_watermark_that_is_behind_comes_with_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(Coverage([], None, GAP), capsys).splitlines()

    assert "All time is covered up to 2026-11-04 02:00:00 UTC" in " ".join(lines)
    assert lines[-2] == "    etl run --start 2026-11-03T02:00:00Z --end 2026-11-04T02:00:00Z"
    assert '"start": "2026-11-03T02:00:00Z"' in lines[-1]
