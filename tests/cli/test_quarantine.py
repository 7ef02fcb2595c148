"""`etl quarantine`: its lists, its records and its replays, of runs made by the functions' own code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from etl.model import statuses
from etl.model.schema import SPECIFIED
from etl_cli.app import app
from etl_cli.aws.deployment import Deployment
from etl_cli.commands.quarantine import EXIT_NOT_LOADED
from etl_cli.items import quarantine as quarantine_content
from etl_cli.items.item_key import ItemKey
from etl_cli.items.quarantine import not_loaded_by_replay, quarantine_of, quarantined, quarantines, records_of
from etl_cli.render.quarantine import print_quarantines, print_records, quarantine_document, record_document
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times
from tests.cli.documents import as_read
from tests.cli.screens import printed
from tests.docs.examples import example
from tests.fakes.past_runs import PastRuns, edited
from tests.fakes.recording import RecordedBucket, Recording, answer_of
from tests.fakes.state_machine import FakeStateMachine
from tests.unit.builders import item

RUN, SECOND = "20240116T020000123Z", "20240116T030000123Z"
FIRST = "20261124T200000000Z"
LINES = EtlLines(program="etl")


@pytest.fixture
def past(tmp_path: Path) -> PastRuns:
    """A run with rejects of several kinds, of which one was corrected and run again."""
    broken = [
        item(1, value="-96.75"),
        item(2, value="-5"),
        item(3) | {"value": {"S": "12 EUR"}},
        item(4, timestamp="15.1. 10 o'clock"),
        item(5, value="-1"),
    ]
    made = PastRuns([*broken, item(6), item(7)], edited(tmp_path / "transformation.py"))
    made.run()
    made.runs.dynamodb.tables["source"] = [item(2), *broken[2:]]  # corrected; the first is gone
    made.run({"replay": RUN}, number=2)
    return made


def listed(past: PastRuns) -> str:
    found = list(quarantines(past.deployment, past.entries))
    return printed(lambda console: print_quarantines(console, found, Times(), LINES))


def test_the_documented_example_of_list_is_exact(past: PastRuns) -> None:
    assert listed(past) == example("etl quarantine list")


def test_records_are_counted_by_their_rules(past: PastRuns) -> None:
    document = quarantine_document(quarantine_of(past.deployment, RUN, past.entries[1]))

    counts = {f"{each['field']}: {each['rule']}"[:29].strip(): each["count"] for each in document["reasons"]}
    assert counts == {
        "value: expected a number >= 0": 3,
        "value: expected a number": 1,
        "timestamp: expected a time in": 1,
    }
    assert (document["rejected"], document["untimed"]) == (4, 1)
    assert [each["field"] for each in document["reasons"] if each["untimed"]] == ["timestamp"]
    assert document["window"] == {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}
    assert (document["replayed"]["run"], document["replayed"]["loaded"]) == (SECOND, 1)
    assert json.loads(json.dumps(document)) == document


def test_a_run_without_an_entry_is_listed(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items.clear()

    assert f"{RUN}  4 rejected, 1 without a time\n" in listed(past)


def test_counted_records_are_bounded(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine_content, "MOST_REJECTED", 3)

    assert "more than 2 rejected, 1 without a time" in listed(past)


def test_a_run_that_failed_says_so(past: PastRuns) -> None:
    past.fail("Gate", "QualityGateError")

    assert "3 rejected, 1 without a time  the run failed in Gate" in " ".join(listed(past).split("\n"))


def test_an_item_without_a_time_is_not_called_rejected(past: PastRuns) -> None:
    said = printed(lambda console: print_records(console, records_of(past.deployment, RUN), has_more=False))

    assert "item-0004  without a time: timestamp: expected a time in UTC" in " ".join(said.split("\n"))
    assert "item-0003  Transform rejected it: value" in said


def test_a_replay_with_items_without_a_time_says_so(past: PastRuns) -> None:
    past.run({"replay": RUN}, number=3)

    assert ": 1 loaded, 3 rejected again, 1 without a time\n" in listed(past)


def test_an_empty_quarantine_is_said_to_be_empty(past: PastRuns) -> None:
    past.objects.clear()

    assert listed(past) == "Nothing is in quarantine.\n"


def key(text: str) -> ItemKey:
    return ItemKey(SPECIFIED.source, (text,))


def shown(past: PastRuns, run: str = RUN, field: str | None = None, key: ItemKey | None = None) -> list[str]:
    return [record.key.text for record in records_of(past.deployment, run, field, key)]


def test_records_are_picked_by_attribute_and_by_id(past: PastRuns) -> None:
    assert len(shown(past)) == 5
    assert shown(past, field="timestamp") == ["item-0004"]
    assert shown(past, key=key("item-0003")) == ["item-0003"]
    assert shown(past, field="timestamp", key=key("item-0003")) == []
    assert shown(past, "20990101T000000000Z") == []


def test_the_documented_example_of_show_is_exact(past: PastRuns) -> None:
    records = list(records_of(past.deployment, RUN, key=key("item-0001")))

    assert printed(lambda console: print_records(console, records, has_more=False)) == example("etl quarantine show")


def test_a_rejection_of_load_shows_the_record() -> None:
    record = {
        "stage": "load",
        "rule": "expected less",
        "got": "more",
        "item": {"id": "a", "timestamp": "t", "value": 1.5},
    }
    output = printed(lambda console: print_records(console, [quarantined(json.dumps(record).encode())], has_more=True))

    assert output.splitlines()[0] == "a  Load rejected it: record: expected less, got more"
    assert "value          1.5" in output
    assert "--limit" in output


def test_a_record_of_an_earlier_version_has_a_rule() -> None:
    record = {"stage": "transform", "field": "v", "expected": "less", "got": "more", "item": {"id": {"S": "a"}}}
    rejection = quarantined(json.dumps(record).encode()).rejection

    assert (rejection.rule, rejection.example) == ("expected less", "a")


def test_programs_get_a_record_with_every_digit(past: PastRuns) -> None:
    (record,) = records_of(past.deployment, RUN, key=key("item-0001"))
    document = as_read(record_document(record))

    assert document["item"] == item(1, value="-96.75")
    assert document["reason"] == "value: expected a number >= 0, got -96.75"


@pytest.fixture
def invoke(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(Deployment, "find", lambda *_: past.deployment)
    return lambda *options: CliRunner().invoke(app, ["quarantine", *options, "--region", "eu-west-1"])


def test_the_commands_print_json(invoke: Callable[..., Result]) -> None:
    listing = json.loads(invoke("list", "--json").stdout)
    assert [each["run"] for each in listing["runs"]] == [SECOND, RUN]
    assert len(json.loads(invoke("list", "--json", "--limit", "1").stdout)["runs"]) == 1
    assert [each["run"] for each in json.loads(invoke("list", "--json", "--run", RUN).stdout)["runs"]] == [RUN]

    few = json.loads(invoke("show", RUN, "--json", "--limit", "2").stdout)
    assert (few["run"], len(few["records"]), few["has_more"]) == (RUN, 2, True)
    assert not json.loads(invoke("show", RUN, "--json", "--limit", "5").stdout)["has_more"]


def test_nothing_to_show_is_an_error(invoke: Callable[..., Result]) -> None:
    error = invoke("show", RUN, "--id", "nobody").exception

    assert isinstance(error, UserError)
    assert RUN in error.message


def test_rejected_or_missing_records_are_not_loaded() -> None:
    counts = {"loaded": 5, "rejected_transform": 1, "rejected_load": 2, "left": 4}

    assert not_loaded_by_replay(LedgerEntry("SUCCEEDED", None, counts=counts)) == 7
    assert not_loaded_by_replay(LedgerEntry("SUCCEEDED", None, counts={"untimed": 1})) == 1
    assert not_loaded_by_replay(LedgerEntry("SUCCEEDED", None, counts={"loaded": 5, "dropped": 1})) == 0


@pytest.fixture
def recorded(machine: FakeStateMachine, monkeypatch: pytest.MonkeyPatch) -> FakeStateMachine:
    """A state machine whose first run has something in quarantine; a replay goes as a recorded one went."""
    machine.begin("first").status = "SUCCEEDED"
    machine.course, machine.looks = lambda _: "replayed", 0
    recording = Recording("replayed").s3
    (lines,) = [body for key, body in recording.objects.items() if key.startswith("quarantine/")]
    files = RecordedBucket(recording.objects | {f"quarantine/{FIRST}/transform-0000-0000.json": lines})
    aws = machine.aws
    aws.answers["s3.ListObjectsV2"] = lambda **asked: next(iter(files._pages(**picked(asked, "Bucket", "Prefix"))))
    aws.answers["s3.GetObject"] = partial(answer_of, files)
    monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)
    monkeypatch.setattr("secrets.token_hex", lambda _: "3f9a")
    return machine


def picked(asked: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: asked[name] for name in names}


def replay(*options: str) -> Result:
    return CliRunner().invoke(app, ["quarantine", "replay", *options])


def test_a_replay_is_followed_to_its_report(recorded: FakeStateMachine) -> None:
    done = replay("first")
    execution = list(recorded.executions.values())[-1]

    assert execution.given == {"replay": FIRST}
    assert execution.name.startswith(f"replay-{datetime.now(UTC):%Y}")
    assert f"  Replays    quarantine of run {FIRST}\n" in done.stdout
    assert "✔ 2 loaded, 1 rejected with its reason, nothing unaccounted for" in done.stdout
    assert done.exit_code == EXIT_NOT_LOADED == 3  # one of them was rejected again


@pytest.mark.usefixtures("recorded")
def test_the_documented_example_of_replay_is_exact() -> None:
    output = re.sub(r"replay-20[0-9]{6}T[0-9]{6}Z", "replay-20261126T020713Z", replay("first").stdout)
    beginning, cut, end = example("etl quarantine replay").partition("  …\n")

    assert (cut, end) == ("  …\n", "")
    assert "\n".join(line.rstrip() for line in output.splitlines()).startswith(beginning)


def test_a_replay_that_fails_ends_with_1(recorded: FakeStateMachine) -> None:
    recorded.course = lambda _: "failed_at_gate"

    assert replay("first").exit_code == 1


def test_programs_get_the_report_of_the_replay_alone(recorded: FakeStateMachine) -> None:
    assert json.loads(replay("first", "--json").stdout)["counts"]["loaded"] == 2
    assert len(recorded.executions) == 2


def test_a_run_without_quarantine_is_not_replayed(recorded: FakeStateMachine) -> None:
    recorded.begin("second").status = "SUCCEEDED"
    done = replay("second")

    assert isinstance(done.exception, UserError)
    assert len(recorded.executions) == 2


def test_a_run_whose_end_was_lost_is_replayed(recorded: FakeStateMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.executions["first"].status = "RUNNING"
    monkeypatch.setattr(statuses, "LONGEST_RUN", timedelta(minutes=-1))
    done = replay("first")

    assert done.exit_code == EXIT_NOT_LOADED, done.output  # one is rejected again
    assert len(recorded.executions) == 2


def test_a_running_run_is_not_replayed(recorded: FakeStateMachine) -> None:
    recorded.executions["first"].status = "RUNNING"
    done = replay("first")

    assert isinstance(done.exception, UserError)
    assert len(recorded.executions) == 1
