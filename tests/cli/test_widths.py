"""Nothing that a person came to read is cut off or broken, on terminals of every width and with large values.

Each screen is printed with counts of twelve digits, durations of months, costs of seven digits, windows of years, long
names, and texts of wide characters. What has to be whole is looked for as it is; text may wrap.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from etl.model.schema import SPECIFIED
from etl_cli.commands import gaps
from etl_cli.commands.doctor import print_findings
from etl_cli.commands.runs import print_runs
from etl_cli.costs.cost import bill, money
from etl_cli.costs.prices import price_list
from etl_cli.costs.usage import Usage
from etl_cli.doctor.findings import Finding
from etl_cli.items.explanation import Explanation
from etl_cli.items.explanation_verdict import Verdict
from etl_cli.items.item_key import ItemKey
from etl_cli.items.quarantine import Quarantine, quarantined
from etl_cli.items.rejections import Rejection, Tally
from etl_cli.items.search import ItemInRun
from etl_cli.render import backfill
from etl_cli.render.board import Board, Step
from etl_cli.render.explain import print_explanation
from etl_cli.render.log_view import LogView
from etl_cli.render.plan import print_plan
from etl_cli.render.quarantine import print_quarantines, print_records
from etl_cli.render.report import print_report
from etl_cli.render.sections import aggregate_section
from etl_cli.render.show import print_run
from etl_cli.runs.coverage import Coverage
from etl_cli.runs.history import StageProgress, Timeline
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.runs.log_lines import LogLine
from etl_cli.summary.backfill import Planned
from etl_cli.summary.contents import Contents, Sample
from etl_cli.summary.run_summary import Account, RunSummary
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.grid import Grid, table_width
from etl_cli.terminal.times import Span, Times
from tests.cli.report_pages import tally_of
from tests.cli.test_plan import made, night

ETL = EtlLines(profile="a-profile-with-a-rather-long-name", region="ap-southeast-2")
RUN, OTHER = "20261123T020000123Z", "20261124T020000456Z"
LONG, ID = "a-long-name-" * 6, "order-" + "1234567890" * 5
WIDE = "咖啡和茶 🍵 " * 12
DIGITS = "12345678901234567890123456789012345678"
WINDOW = Span(datetime(2011, 11, 1, 2, tzinfo=UTC), datetime(2026, 11, 23, 2, tzinfo=UTC))
TIMES = ("2011-11-01 02:00:00", "2026-11-23 02:00:00")
TABLES = ("etl-source-data", "etl-destination-data")
TWELVE = {
    "scanned": 999_888_777_666,
    "read": 888_777_666_555,
    "extracted": 888_777_666_555,
    "transformed": 777_666_555_444,
    "dropped": 111_000_000_001,
    "ahead": 111_000_000_002,
    "rejected_transform": 111_111_111_108,
    "records": 777_666_555_444,
    "loaded": 555_444_333_222,
    "superseded": 111_111_111_111,
    "rejected_load": 111_111_111_111,
}
SECONDS = 100 * 86_400 + 3_600 + 420.0  # 2401 h 07 min
PRICES = price_list("eu-west-1")
HUGE = Usage(
    read_units=123_456_789_012,
    write_units=999_999_999_999,
    gb_seconds=123_456_789_012,
    invocations=123_456_789_012,
    transitions=123_456_789_012,
    puts=123_456_789_012,
    gets=111,
    staged_bytes=9e17,
    log_bytes=9e15,
    metric_hours=123_456_789,
    events=123_456_789_012,
    traces=1,
)
COST = bill(HUGE, PRICES)
SMALL = bill(replace(HUGE, **dict.fromkeys(vars(HUGE), 1.0)), PRICES)


def entry(**facts: Any) -> LedgerEntry:
    known = LedgerEntry(
        "SUCCEEDED",
        WINDOW,
        name=LONG,
        execution=f"arn:aws:states:ap-southeast-2:111122223333:execution:etl-pipeline:{LONG}",
        run=RUN,
        started=WINDOW.end,
        finished=WINDOW.end + timedelta(seconds=SECONDS),
        segments=1_000,
        counts=TWELVE,
        replayed={"run": OTHER, "loaded": 123_456_789_012, "rejected_transform": 111_111_111_111},
    )
    return replace(known, **facts)


LINKS = {"execution": f"https://console.aws.amazon.com/{LONG}"}
ACCOUNT = Account(cost=COST, predicted=SMALL, links=LINKS)


def report() -> RunSummary:
    timeline = Timeline()
    for name in timeline.stages:
        end = WINDOW.end + timedelta(seconds=SECONDS)
        timeline.stages[name] = StageProgress(name, "succeeded", WINDOW.end, end)
    contents = Contents(
        aside=tally_of(Rejection("transform", "a" * 40, WIDE, WIDE, example=ID, count=123_456_789_012)),
        aggregates=[
            {
                "name": "by_day",
                "by": ["day"],
                "groups": [{"day": WIDE, "records": 123_456_789_012, "sum": Decimal("123456789012.34"), "max": 1}],
            }
        ],
        sample=Sample(
            {"id": ID, "timestamp": "2026-11-01T00:00:00Z"},
            json.dumps({"id": {"S": ID}, "value": {"N": DIGITS}, "name": {"S": WIDE}, "kept": {"S": LONG}}).encode(),
            f'{{"id":"{ID}","value":{DIGITS},"name":"{WIDE.upper()}!","kept":"{LONG}"}}'.encode(),
        ),
    )
    return RunSummary(
        entry=entry(finished=WINDOW.end + timedelta(seconds=SECONDS + 60)), timeline=timeline, contents=contents
    )


def show_board(console: Terminal) -> None:
    with Board(console, ["Load"], owns=False) as board:
        board.show(Step("Load", "running", "888,777,666,555 of 999,888,777,666 records (123,456/s)", SECONDS, 0.5))
        board.show(Step("Extract", "succeeded", "999,888,777,666 items read (123,456/s), 123,456.7 GB", SECONDS))


def test_a_cell_is_no_longer_than_a_value_of_an_item() -> None:
    table = Grid()
    table.whole()
    table.text()
    table.add_row("x" * 20_000, Text("y" * 20_000))
    table.add_row("1", "2")
    drawn = io.StringIO()
    Terminal(file=drawn, width=80).print(table)

    assert "(20,000 characters)" in drawn.getvalue()
    assert len(drawn.getvalue()) < 400_000


REJECTED = json.dumps(
    {"stage": "load", "field": "", "rule": WIDE, "got": WIDE, "item": {"id": ID, "n": int(DIGITS)}}
).encode()


def show_quarantine(console: Terminal) -> None:
    tally = Tally()
    tally.add(Rejection("transform", "value", WIDE, WIDE, example=ID))
    tally._counts[("transform", "value", WIDE, False)] = 123_456_789_012
    print_quarantines(console, [Quarantine(RUN, tally, entry=entry())], Times(), ETL)


def show_explanation(console: Terminal) -> None:
    item = {"id": {"S": ID}, "timestamp": {"S": "2026-11-01T00:00:00Z"}, "value": {"N": DIGITS}, "name": {"S": WIDE}}
    line = json.dumps(item).encode()
    found = ItemInRun(entry(), "read", line, rejections=[Rejection("transform", "value", WIDE, WIDE)])
    explanation = Explanation(ItemKey(SPECIFIED.source, (ID,)), SPECIFIED, WINDOW.end, line, [found])
    verdict = Verdict("quarantined", WIDE, "Do it.", [ETL.line("quarantine", "replay", RUN)])
    print_explanation(console, explanation, verdict, TABLES, Times())


def show_gaps(console: Terminal) -> None:
    fill = partial(gaps.fill_lines, f"arn:aws:states:ap-southeast-2:111122223333:stateMachine:{LONG}", ETL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaps, "out", console)
        gaps.print_coverage(fill, Coverage([WINDOW], None, None), None, Times())


def show_logs(console: Terminal) -> None:
    line = LogLine(
        WINDOW.end,
        "etl-load",
        "",
        {"action": "load", "message": "finished", "run": RUN, "counts": TWELVE, "segment": 999, "duration_ms": 8e7},
    )
    for text in LogView(Times()).show(line):
        console.print(text, soft_wrap=True)


def show_aggregates(console: Terminal) -> None:
    groups = [{"day": WIDE, "records": 123_456_789_012, "sum": "123456789012.34"}]
    width = table_width(console)
    for part in aggregate_section(console, width, {"name": "by_day", "by": ["day"], "groups": groups}, 20, str):
        console.print(part, width=console.width, soft_wrap=False)


FAILED = entry(run="", error="InputError", stage="Plan")
REPORTED = [
    *(f"{number:,}" for name, number in TWELVE.items() if name != "scanned"),
    "2401 h 07 min",
    "2401 h 08 min",
    RUN,
    *TIMES,
]
PLAN = made(WINDOW, (night(22, 999_888_777_666, 86_400 * 3),))
SCREENS: dict[str, tuple[Callable[[Terminal], None], list[str]]] = {
    "show": (
        lambda console: print_run(console, RunSummary(entry=entry(), timeline=None), ACCOUNT, TABLES, Times(), ETL),
        [
            "2401 h 07 min",
            *map(money, (*COST.services.values(), COST.total, *SMALL.services.values())),
            ETL.line("quarantine", "show", RUN),
            "999,999,999,999",
            f"https://console.aws.amazon.com/{LONG}",
        ],
    ),
    "report": (
        lambda console: print_report(
            console, report(), TABLES, Verified(123_456_789_012, 98, {"ahead of the window": 111_000_000_002})
        ),
        [*REPORTED, "123,456,789,012.34", DIGITS],
    ),
    "runs": (
        lambda console: print_runs(
            console, [entry(), entry(run="", error="InputError", stage="Plan")], 2, Times(), ETL
        ),
        [RUN, *TIMES, "2401 h 07 min", "888,777,666,555", "555,444,333,222", "222,222,222,219", ETL.line("show", LONG)],
    ),
    "plan": (
        lambda console: print_plan(console, PLAN, Times(), ETL),
        [
            *TIMES,
            *map(money, PLAN.outlook.cost.services.values()),
            *(f"{stage.invocations:,}" for stage in PLAN.outlook.found.stages),
        ],
    ),
    "board": (
        show_board,
        ["888,777,666,555", "999,888,777,666", "2401 h 07 min", "(123,456/s)"],
    ),
    "quarantine list": (show_quarantine, [RUN, *TIMES, "123,456,789,012", ETL.line("quarantine", "show", RUN)]),
    "quarantine show": (
        lambda console: print_records(
            console,
            [quarantined(REJECTED)],
            has_more=True,
        ),
        [ID, DIGITS],
    ),
    "explain": (show_explanation, [ID, RUN, DIGITS, *TIMES, ETL.line("quarantine", "replay", RUN)]),
    "preview": (show_aggregates, ["123456789012", "123456789012.34"]),
    "gaps": (show_gaps, [*TIMES, ETL.run(WINDOW)]),
    "logs": (show_logs, [RUN, "555,444,333,222 loaded", "22 h 13 min", "#999"]),
    "backfill": (
        lambda console: backfill.print_plan(console, [Planned(WINDOW, last=entry(), done=True)], Times()),
        [" → ".join(TIMES), RUN],
    ),
    "doctor": (
        lambda console: print_findings(
            console, [Finding("last run", "problem", f"{RUN} ended in 2401 h 07 min", WIDE, ETL.line("show", RUN))]
        ),
        [RUN, "2401 h 07 min", ETL.line("show", RUN)],
    ),
}


def shown(show: Callable[[Terminal], None], width: int, *, on_terminal: bool) -> str:
    stream = io.StringIO()
    show(Terminal(file=stream, width=width, force_terminal=on_terminal, styled=False))
    return Text.from_ansi(stream.getvalue()).plain if on_terminal else stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 100, 120])
@pytest.mark.parametrize("screen", SCREENS)
def test_everything_to_read_is_whole(screen: str, width: int) -> None:
    show, wanted = SCREENS[screen]
    if screen == "board":
        width = max(width, 60)  # what moves is cut where the terminal ends, or it would leave lines behind

    for on_terminal in (True, False):
        said = shown(show, width, on_terminal=on_terminal)
        # An instant may wrap between its date and its time, as other text does.
        flat = re.sub(r"\s+", " ", said)
        if "board" not in screen or on_terminal:
            assert [each for each in wanted if each not in (flat if " " in each else said)] == []
            assert not re.search(r"\S…", said)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("screen", ["show", "report", "runs", "plan", "board", "quarantine list", "explain", "preview"])
def test_tables_fit_the_usual_terminals(screen: str, width: int) -> None:
    """Lines to copy are as long as they are."""
    said = shown(SCREENS[screen][0], width, on_terminal=True)
    tables = [line for line in said.splitlines() if not re.search(r"etl |aws |https:|a-long-name-a", line)]

    assert [line for line in tables if Text(line).cell_len > width] == []


def test_a_table_that_fits_nowhere_is_longer_than_the_terminal() -> None:
    table = Grid(gap=2)
    table.whole("right")
    table.text()
    table.add_row(DIGITS, WIDE)
    stream = io.StringIO()
    Terminal(file=stream, width=20).print(table, soft_wrap=False)

    assert DIGITS in stream.getvalue()
    assert re.sub(r"\s", "", stream.getvalue()).count("咖啡") == WIDE.count("咖啡")
