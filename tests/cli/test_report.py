"""The report of a recorded execution: put together, printed, and as JSON."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from etl.model.rejection import RejectedError
from etl_cli.items import quarantine
from etl_cli.items.rejections import Rejection
from etl_cli.render.failure import print_commands
from etl_cli.render.report import _balance_rows, print_report, report_commands
from etl_cli.render.run_document import report_document
from etl_cli.runs.history import Timeline, read_new
from etl_cli.summary.balance import BalanceLine
from etl_cli.summary.run_summary import RunSummary, summarize_followed
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from tests.cli.documents import as_read
from tests.cli.report_pages import tally_of
from tests.fakes.recording import Recording

GOLDEN = Path(__file__).parent / "golden"
TABLES = ("etl-source-data", "etl-destination-data")


def report_of(recording: Recording) -> RunSummary:
    timeline = Timeline()
    recording.stepfunctions.shown = len(recording.events)
    read_new(cast(Any, recording.stepfunctions), recording.execution, timeline)
    return summarize_followed(recording.deployment, recording.execution, timeline)


@pytest.fixture
def recording() -> Recording:
    return Recording("succeeded")


@pytest.fixture
def report(recording: Recording) -> RunSummary:
    return report_of(recording)


def printed(report: RunSummary, width: int, verified: Verified | None = None) -> str:
    console = Terminal(file=io.StringIO(), width=width)
    print_report(console, report, TABLES, verified)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("width", [80, 110])
def test_the_report_looks_like_the_golden_one(report: RunSummary, width: int) -> None:
    assert printed(report, width, Verified(38, 37)) == (GOLDEN / f"report{width}.txt").read_text()


def test_no_number_is_cut_off_on_a_narrow_terminal(report: RunSummary) -> None:
    assert printed(report, 30) == printed(report, 78)


@pytest.mark.parametrize("width", [78, 80, 200])
def test_no_line_of_the_report_is_wider_than_the_terminal(report: RunSummary, width: int) -> None:
    assert max(map(len, printed(report, width).splitlines())) <= min(width, 110)


def test_the_balance_says_where_every_item_went(report: RunSummary) -> None:
    assert report.balance == [
        BalanceLine("read", 38, {"extracted": 38}),
        BalanceLine("extracted", 38, {"transformed": 37, "dropped": 0, "rejected": 1}),
        BalanceLine("records", 37, {"loaded": 37, "superseded": 0, "rejected": 0}),
    ]
    assert all(equation.holds for equation in report.balance)


def test_a_balance_that_does_not_add_up_is_marked(report: RunSummary) -> None:
    report.entry.counts["loaded"] -= 1
    text = printed(report, 80)

    assert "its counts don't add up" in text
    assert "✘ does not add up" in text


def test_reasons_of_rejection_are_counted_and_have_an_example(report: RunSummary) -> None:
    (found,) = report.contents.rejections

    assert (found.stage, found.field, found.rule, found.count) == ("transform", "value", "expected a number >= 0", 1)
    assert (found.example, found.got) == ("order-000001", "-51.26")
    assert report_document(report)["rejected"] == 1


def test_the_commonest_reason_comes_first(recording: Recording) -> None:
    def line(field: str, identity: dict[str, Any]) -> str:
        facts = {"stage": "load", "field": field, "expected": "text", "got": "none", "item": identity}
        return json.dumps(facts)

    run = json.loads(recording.description["output"])["run"]
    lines = [line("name", {"id": "a", "timestamp": "t"}), line("size", {"id": 1}), line("size", {})]
    recording.s3.objects[f"quarantine/{run}/load-0000-0000.json"] = "[\n" + ",\n".join(lines) + "\n]\n"
    report = report_of(recording)

    assert [(each.field, each.count, each.example) for each in report.contents.rejections] == [
        ("size", 2, ""),
        ("name", 1, "a"),
        ("value", 1, "order-000001"),
    ]


def test_only_so_many_rejected_items_are_looked_at(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST_REJECTED", 1)
    key = next(key for key in recording.s3.objects if key.startswith("quarantine/"))
    (line,) = recording.s3.objects[key].splitlines()[1:-1]
    recording.s3.objects[key] = "[\n" + ",\n".join([line] * 2) + "\n]\n"
    report = report_of(recording)

    assert report.contents.is_cut
    assert "Rejected, of the first 1" in printed(report, 80)


def test_a_run_without_records_has_a_report(recording: Recording) -> None:
    run = json.loads(recording.description["output"])["run"]
    recording.s3.objects[f"transform/{run}/data.json"] = "[\n]\n"
    recording.s3.objects[f"transform/{run}/aggregates.json"] = (
        '{"aggregates": [{"name": "value_by_date", "by": ["date"], "groups": []}]}'
    )
    report = report_of(recording)

    assert report.contents.sample is None
    assert "no records" in printed(report, 80)
    assert "before and after" not in printed(report, 80)


def test_both_sides_of_the_item_are_those_that_the_run_staged(recording: Recording, report: RunSummary) -> None:
    assert report.contents.sample
    key = {"id": {"S": report.contents.sample.key["id"]}}
    for table in recording.dynamodb.tables.values():  # a later run, or another program, has written it
        for item in table:
            if key.items() <= item.items():
                item["value"] = {"N": "999999"}
    later = report_of(recording)
    recording.dynamodb.tables["etl-source-data"].clear()

    assert later.contents.sample == report_of(recording).contents.sample == report.contents.sample
    assert "999999" not in printed(later, 80)
    before, after = report.contents.sample.sides()
    assert before["value"] == after["value"] == {"N": "6.66"}
    assert (before.get("size"), after["size"]) == (None, {"S": "small"})


def test_a_record_of_an_id_that_no_item_has_is_not_shown(recording: Recording) -> None:
    run = json.loads(recording.description["output"])["run"]
    key = f"transform/{run}/data.json"
    recording.s3.objects[key] = recording.s3.objects[key].replace('"id":"order-', '"id":"made-of-order-')

    assert report_of(recording).contents.sample is None


def test_a_run_whose_objects_have_expired_says_so(recording: Recording) -> None:
    run = json.loads(recording.description["output"])["run"]
    del recording.s3.objects[f"transform/{run}/data.json"]

    with pytest.raises(UserError, match=f"transform/{run}/data.json is not there") as caught:
        report_of(recording)
    assert "expire after 30 days" in caught.value.remedy


def test_counted_items_add_up_to_extracted_items(report: RunSummary) -> None:
    report.entry.counts.update({"read": 50, "extracted": 50})
    said = printed(report, 80, Verified(38, 37, {"without a time": 10, "ahead of the window": 2}))

    assert re.search(r"38 in the window .*10 without a time .*2 ahead", " ".join(said.split()))
    assert "of the window = 50 extracted ✔" in " ".join(said.split())
    assert "extracted ✔" not in printed(report, 80, Verified(50, 37))


def test_many_groups_are_cut(report: RunSummary) -> None:
    groups = [{"date": f"2026-11-{day:02}", "records": day, "value_avg": Decimal("0.5")} for day in range(1, 20)]
    report.contents.aggregates[0]["groups"] = groups

    assert "and 11 more groups" in printed(report, 80)


def test_commands_are_never_broken(report: RunSummary) -> None:
    commands = report_commands(report, EtlLines(profile="night", program=".venv/bin/etl"))
    console = Terminal(file=io.StringIO(), width=40)
    print_commands(console, commands)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()

    assert all(f"  {command.line}" in lines for command in commands)
    assert [command.line.removesuffix(" --profile night") for command in commands] == [
        f".venv/bin/etl show {report.entry.run}",
        f".venv/bin/etl quarantine show {report.entry.run}",
        ".venv/bin/etl explain order-000002",
        f".venv/bin/etl logs --run {report.entry.run}",
    ]


def test_json_keeps_every_digit(report: RunSummary) -> None:
    document = as_read(report_document(report, Verified(38, 37)))
    (aggregate,) = document["aggregates"]

    assert document["status"] == "success"
    assert [equation["holds"] for equation in document["balance"]] == [True, True, True]
    assert document["verified"] == {"source": 38, "destination": 37, "outside": {}}
    assert all(len(group["value_avg"]) > 30 for group in aggregate["groups"])
    assert document["sample"]["before"]["barcode"] == {"B": "AAAAApymSe4="}


def test_a_replay_accounts_for_the_records_in_quarantine(recording: Recording) -> None:
    output = json.loads(recording.description["output"])
    output |= {"replay": "20261123T020000123Z"}
    output["counts"] |= {"scanned": 30, "read": 42, "left": 4}
    timeline = Timeline(status="SUCCEEDED", output=output)
    replay = summarize_followed(recording.deployment, recording.execution, timeline)

    assert replay.balance[0] == BalanceLine("read", 42, {"extracted": 38, "left": 4})
    assert replay.balance[0].holds
    text = printed(replay, 80)
    assert re.search(r"Replay of .*20261123T020000123Z", text)
    assert "read      42 = 38 extracted" in text
    assert "outside" not in text  # it scans nothing
    assert report_document(replay)["replay"] == "20261123T020000123Z"


def test_rejections_without_items_have_their_summaries() -> None:
    data = "not {'card': '4111 1111', 'name': 'Ann'}"
    own = "record: a reason of transform()'s own"
    given = tally_of(
        Rejection("transform", "card", data, "4111", own, example="order-1", count=2),
        Rejection("transform", "name", data, "Ann", own, example="order-2"),
        Rejection("load", "", "an item that DynamoDB takes", "401 KB", example="order-3"),
    )

    assert [(each.stage, each.rule, each.count) for each in given.without_items()] == [
        ("transform", "record: a reason of transform()'s own", 3),
        ("load", RejectedError.summary, 1),
    ]


def test_items_without_a_time_are_separate_in_the_report(report: RunSummary) -> None:
    counts = {"read": 20, "extracted": 20, "transformed": 5, "rejected_transform": 1, "untimed": 14, "records": 5}
    reasons = tally_of(
        Rejection("transform", "timestamp", "expected a time in UTC", "'soon'", untimed=True, count=14),
        Rejection("transform", "value", "expected a number >= 0", "-1"),
    )
    entry = replace(report.entry, counts=counts | {"loaded": 5})
    found = replace(report, entry=entry, contents=replace(report.contents, aside=reasons))
    said = printed(found, 80)

    assert "✔ 5 loaded, 1 rejected, 14 without a time" in said
    assert "Rejected: 1, 14 without a time" in said
    assert all(equation.holds for equation in found.balance)
    assert "14 untimed" in " ".join(said.split())
    assert [each.untimed for each in reasons.without_items()] == [True, False]


def test_an_equation_of_many_parts_adds_up_as_it_is_printed() -> None:
    equation = BalanceLine("extracted", 4764, {"transformed": 4662, "dropped": 0, "ahead": 2, "rejected": 100})
    lines = ["".join(cell.plain for cell in row) for row in _balance_rows(equation, 3)]

    assert lines == ["extracted4,764=4,662transformed+0dropped+2ahead", "+100rejected✔"]
