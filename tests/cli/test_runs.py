"""`etl runs`: which runs it picks, and how the table fits a terminal."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from etl_cli.app import app
from etl_cli.aws.deployment import Deployment
from etl_cli.commands.runs import STATUSES, parse_status, print_runs, select
from etl_cli.render.run_document import entry_document
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Span, Times
from tests.docs.examples import example

ETL = EtlLines(program="etl")


def night(day: int, status: str = "SUCCEEDED", **facts: Any) -> LedgerEntry:
    """The run of a night of November; one that succeeded has counts."""
    started = datetime(2026, 11, day, 2, 0, 0, 123_000, tzinfo=UTC)
    end = started.replace(microsecond=0)
    known = LedgerEntry(
        status=status,
        window=Span(end - timedelta(hours=24, minutes=15), end),
        name=f"night-{day}",
        execution=f"arn:aws:states:eu-west-1:111122223333:execution:etl-pipeline:night-{day}",
        run=f"202611{day:02}T020000123Z",
        started=started,
        finished=started + timedelta(seconds=187.4),
        segments=4,
        counts={"read": 1_204_551, "loaded": 1_204_400, "rejected_transform": 150, "rejected_load": 1}
        if status == "SUCCEEDED"
        else {},
    )
    return replace(known, **facts)


REPLAY = {"read": 151, "left": 0, "loaded": 150, "rejected_transform": 1}
REPLAYED = {"run": "20261106T091500007Z"} | REPLAY
NAME = "d5154808-bb14-42e4-9d81-70a29d266c4e"
HISTORY = [
    night(7, "RUNNING", finished=None),
    night(
        6,
        replay="20261105T020000123Z",
        run="20261106T091500007Z",
        counts={"read": 151, "loaded": 150, "rejected_transform": 1},
    ),
    night(6, "FAILED", run="", window=None, name=NAME, stage="Plan", error="InputError", segments=0),
    night(5, replayed=REPLAYED),
    night(4, "TIMED_OUT", stage="Load", error="TIMED_OUT", finished=datetime(2026, 11, 4, 2, 30, tzinfo=UTC)),
    night(3),
]


def printed(entries: list[LedgerEntry], width: int | None = None, total: int | None = None) -> list[str]:
    """What is printed: on a terminal with so many columns, or into a file."""
    stream = io.StringIO()
    console = Terminal(file=stream, width=width or 80, force_terminal=width is not None)
    print_runs(console, entries, total or len(entries), Times(), ETL)
    return Text.from_ansi(stream.getvalue()).plain.splitlines()


def test_the_example_of_the_documentation() -> None:
    assert "\n".join(printed(HISTORY)) + "\n" == example("etl runs")


def test_items_without_a_time_are_below_their_run() -> None:
    counts = {"read": 19, "loaded": 5, "untimed": 14}
    lines = printed([night(5, counts=counts, replayed=REPLAYED | {"untimed": 3}), night(3)], 80)

    said = " ".join(" ".join(lines).split())
    assert re.findall(r"\d+ without a time", said) == ["14 without a time", "3 without a time"]
    assert "replayed by 20261106T091500007Z: 150 loaded, 1 rejected again, 3 without a time" in said
    assert "19 read, 5 loaded, 0 rejected" in said


def test_in_80_columns_all_columns_are_there() -> None:
    small = {"read": 4_700, "loaded": 4_650, "rejected_transform": 50}
    lines = printed([night(7, "RUNNING", counts={}, finished=None), night(3, counts=small)], 80)

    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["run", "window,", "UTC", "took", "read", "loaded", "rejected"]
    assert lines[-1].split() == [
        *("✔", "20261103T020000123Z", "11-02", "01:45", "→", "11-03", "02:00", "3m07s", "4,700", "4,650", "50")
    ]
    assert lines[1].startswith("… 20261107T020000123Z")


def test_where_a_line_has_no_room_for_every_digit_a_run_has_two() -> None:
    lines = printed(HISTORY, 80)

    assert max(map(len, lines)) <= 80
    assert lines[-2:] == [
        "✔ 20261103T020000123Z  2026-11-02 01:45:00 → 2026-11-03 02:00:00 UTC",
        "    succeeded in 3 min 07 s: 1,204,551 read, 1,204,400 loaded, 151 rejected",
    ]


def test_a_window_of_another_year_than_its_run_is_shown_in_full() -> None:
    small = {"read": 7, "loaded": 7}
    window = Span(datetime(2024, 11, 2, 1, 45, tzinfo=UTC), datetime(2024, 11, 3, 2, tzinfo=UTC))

    assert "2024-11-02 01:45:00 → 2024-11-03 02:00:00 UTC" in printed([night(3, window=window, counts=small)], 80)[0]


def test_a_wide_terminal_has_every_digit() -> None:
    (_, *rows) = printed([night(3)], 120)

    assert rows == [
        "20261103T020000123Z  succeeded  2026-11-02 01:45:00 → 2026-11-03 02:00:00  3 min 07 s  1,204,551  1,204,400"
        "       151"
    ]


@pytest.mark.parametrize(("seconds", "shown"), [(12.34, "12.3s"), (187.4, "3m07s"), (3900, "1h05m")])
def test_durations_are_abbreviated_where_there_is_little_room(seconds: float, shown: str) -> None:
    entry = night(3)
    assert entry.started
    finished = entry.started + timedelta(seconds=seconds)
    lines = printed([replace(entry, finished=finished, counts={"read": 7, "loaded": 7})], 80)

    assert lines[1].split()[-4] == shown


def test_why_a_run_failed_and_how_to_see_more_is_below_it() -> None:
    lines = printed(HISTORY, 80)

    assert f"    failed at Plan: InputError: etl show {NAME}" in lines
    assert "    ran out of time at Load" in lines
    assert "    replayed by 20261106T091500007Z: 150 loaded, 1 rejected again" in lines


def test_more_than_the_limit_is_said() -> None:
    assert printed([night(3)], total=9)[-1] == "The latest 1 of 9 runs; --limit 9 shows all."
    assert printed([]) == ["No runs. Start one: etl run"]


def test_an_empty_selection_differs_from_an_empty_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deployment, "find", lambda *_: SimpleNamespace(dynamodb=None, names=None))
    monkeypatch.setattr("etl_cli.commands.runs.read_ledger", lambda *_: (HISTORY, None))
    done = CliRunner().invoke(app, ["runs", "--status", "unknown", "--region", "eu-west-1"])

    assert done.stdout.startswith("No run has this status and start.")


def test_runs_are_picked_by_status_and_start() -> None:
    def days(found: list[LedgerEntry]) -> list[int]:
        return [entry.started.day for entry in found if entry.started]

    assert days(select(HISTORY, ["failed", "timed_out"], None)) == [6, 4]
    assert days(select(HISTORY, STATUSES, night(5).started)) == [7, 6, 6, 5]
    assert select([night(3, started=None)], STATUSES, night(3).started) == []


def test_an_unknown_status_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(typer.BadParameter, match=r"'green'.*running.*timed_out"):
        parse_status("green")


def test_programs_get_all_that_the_ledger_has() -> None:
    document = json.loads(json.dumps(entry_document(night(5, replayed=REPLAYED))))

    assert document["window"] == {"start": "2026-11-04T01:45:00Z", "end": "2026-11-05T02:00:00Z"}
    assert (document["run"], document["seconds"], document["segments"]) == ("20261105T020000123Z", 187.4, 4)
    assert (document["counts"]["loaded"], document["replayed"], document["failure"]) == (1_204_400, REPLAYED, None)


def test_programs_get_null_for_missing_facts() -> None:
    document = entry_document(HISTORY[2])

    assert (document["run"], document["window"], document["segments"], document["replay_of"]) == (None,) * 4
    assert document["failure"] == {"stage": "Plan", "error": "InputError", "cause": ""}
    assert entry_document(HISTORY[0])["finished"] is None


def test_programs_get_the_cause_in_words() -> None:
    cause = json.dumps({"errorMessage": "end is in the future", "errorType": "InputError", "stackTrace": []})
    failed = night(3, "FAILED", error="InputError", cause=cause)

    assert entry_document(failed)["failure"]["cause"] == "end is in the future"


@pytest.mark.parametrize("width", [None, 80, 60])
def test_a_run_whose_end_was_lost_says_so(width: int | None) -> None:
    lost = night(3, "UNKNOWN", counts={}, finished=None)

    assert "ended without a record" in "\n".join(printed([lost], width))
