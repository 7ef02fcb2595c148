"""Hostile texts in every place that an item, a run or a log can put one, and every command that shows it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from etl_cli.app import app
from etl_cli.aws.deployment import Deployment
from etl_cli.items import local_transformation
from etl_cli.main import main
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.printable import printable
from tests.cli.html_outline import Outline
from tests.cli.report_pages import FAILED, SUCCEEDED
from tests.cli.screens import assert_harmless
from tests.cli.test_logs import event, fact
from tests.cli.test_report_command import aws_with
from tests.cli.test_show import LOCAL
from tests.fakes import state_machine
from tests.fakes.aws import Answer, FakeAws, RefusalError, stack, stacks
from tests.fakes.past_runs import PastRuns, edited
from tests.fakes.recording import Recording
from tests.fakes.state_machine import FakeStateMachine
from tests.hostile_texts import HOSTILE, KINDS, SURROGATES
from tests.unit.builders import item, run

ALL = KINDS | SURROGATES
BREAKS = ["line feed", "indented line", "both", "vertical tab", "next line", "line separator", "carriage return"]
RUN = "20240116T020000123Z"


# Clients take long to make: all tests have the same ones, with answers of their own.
SHARED = FakeAws({}, "us-east-1", LOCAL)
SHARED.session.client = cache(SHARED.session.client)  # type: ignore[method-assign]


def answering(answers: dict[str, Answer]) -> FakeAws:
    """AWS with these answers."""
    SHARED.answers = answers
    return SHARED


@pytest.fixture(params=["pipe", "terminal"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the commands print: into a pipe, or on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    if request.param == "terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
    return str(request.param)


def etl(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def checked(done: Result, screen: str, *codes: int) -> str:
    """What a command said, which did no harm and ended as it should."""
    if isinstance(done.exception, UserError):
        raise done.exception
    assert done.exit_code in (codes or (0,)), done.exception
    for said in (done.stdout, done.stderr):
        assert_harmless(said, styles=screen == "terminal")
    return done.stdout


def documents(said: str) -> Any:
    """JSON, which has nothing but printable ASCII."""
    assert re.fullmatch(r"[ -~\n]+", said)
    return json.loads(said)


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from texts_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, str):
        yield value


def identity(first: str, text: str) -> str:
    """An id with a text, or with as much of it as a key may have."""
    return f"{first}{text}".encode()[:2000].decode(errors="ignore")


def items_with(text: str) -> list[dict[str, Any]]:
    """An item that is loaded, and three that are rejected, with a text wherever one can be."""
    everywhere = {
        "name": {"S": text},
        text: {"S": text},
        "by_customer": {"M": {text: {"L": [{"S": text}, {"SS": [text]}]}}},
    }
    return [
        item(1) | everywhere | {"id": {"S": identity("a", text)}},
        item(2) | everywhere | {"id": {"S": identity("b", text)}},
        item(3) | everywhere | {"id": {"S": identity("c", text)}, "timestamp": {"S": text}},
        item(4) | everywhere | {"id": {"S": identity("d", text)}, "value": {"S": text}},
    ]


@pytest.fixture
def past_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], PastRuns]:
    """A run of the past over items with a text; its transformation rejects by that text, too."""
    text = 'record["name"]'
    reject = f'    if record["id"][:1] == "b":\n        raise RejectedError({text}, field={text}, got={text})\n'
    file = edited(tmp_path / "transformation.py", ('    record["date"]', f'{reject}    record["date"]'))
    monkeypatch.setattr(local_transformation, "transformation_path", lambda *_: file)

    def made(text: str) -> PastRuns:
        past = PastRuns(items_with(text), file)
        past.run()
        monkeypatch.setattr(Deployment, "find", lambda *_: past.deployment)
        return past

    return made


COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "explain": lambda text: ["explain", identity("a", text)],
    "explain rejected": lambda text: ["explain", identity("b", text)],
    "quarantine list": lambda _: ["quarantine", "list"],
    "quarantine show": lambda _: ["quarantine", "show", RUN],
    "preview": lambda _: ["preview", "--run", RUN],
    "preview item": lambda text: ["preview", "--id", identity("a", text), "--id", identity("c", text)],
    "runs": lambda _: ["runs"],
}


@pytest.mark.parametrize("name", KINDS)
def test_items_are_shown_as_text(name: str, screen: str, past_with: Callable[[str], PastRuns]) -> None:
    past_with(KINDS[name])
    for words in COMMANDS.values():
        checked(etl(*words(KINDS[name]), "--region", "eu-west-1"), screen, 0, 3)


@pytest.mark.parametrize("name", KINDS)
def test_programs_get_items_exactly(name: str, past_with: Callable[[str], PastRuns]) -> None:
    text = KINDS[name]
    past_with(text)
    for command in COMMANDS.keys() - {"runs", "quarantine list", "preview"}:
        done = etl(*COMMANDS[command](text), "--region", "eu-west-1", "--json")
        assert {text, identity("a", text) if command == "explain" else text} <= set(texts_in(documents(done.stdout))), (
            command
        )


@pytest.mark.parametrize("name", BREAKS)
def test_a_line_break_in_an_item_makes_no_line(name: str, past_with: Callable[[str], PastRuns]) -> None:
    lines = []
    for text in (HOSTILE[name], printable(HOSTILE[name])):
        past_with(text)
        said = [etl(*words(text), "--region", "eu-west-1").stdout for words in COMMANDS.values()]
        lines.append([each.count("\n") for each in said])

    assert lines[0] == lines[1]


@pytest.mark.parametrize("prints", ["print(record['id'])", "import sys; sys.stderr.write(record['id'] + chr(10))"])
def test_code_of_others_prints_aside_and_as_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], prints: str
) -> None:
    file = edited(tmp_path / "transformation.py", ('    record["date"]', f'    {prints}\n    record["date"]'))
    line = json.dumps(item(1) | {"id": {"S": HOSTILE["title"]}}).encode()
    list(local_transformation.LocalTransformation(file).outcomes([line], run()))

    assert capfd.readouterr() == ("", "\\x1b]0;owned\\x07\n")


def poisoned(recording: Recording, text: str) -> Recording:
    """A recorded run with a text in all that it left, and in its error and cause."""
    objects = recording.s3.objects
    for key in objects:
        if key.startswith("quarantine/"):
            objects[key] = _with_lines(objects[key], lambda record: _rejected(record, text))
        elif key.endswith("aggregates.json"):
            group = [{text: text, "other": 1, "none": None}, {text: text, "other": 2, "none": text}]
            objects[key] = json.dumps({"aggregates": [{"name": text, "by": [text], "groups": group}]})
    for table in recording.dynamodb.tables.values():
        for each in table:
            each |= {text: {"S": text}, "map": {"M": {text: {"S": text}}}}
    for event_ in recording.events:
        for details in event_.values():
            if isinstance(details, dict) and "cause" in details:
                details |= {"error": text, "cause": text}
    if "cause" in recording.description:
        recording.description |= {"error": text, "cause": json.dumps({"errorMessage": text, "stackTrace": [text]})}
    return recording


def _rejected(record: dict[str, Any], text: str) -> dict[str, Any]:
    identity = {"S": text} if isinstance(record["item"].get("id"), dict) else text
    return record | {"field": text, "rule": text, "got": text, "item": record["item"] | {"id": identity}}


def _with_lines(body: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    records = [line.removesuffix(",") for line in body.splitlines() if line not in ("[", "]")]
    return "[\n" + ",\n".join(json.dumps(change(json.loads(line))) for line in records) + "\n]"


Report = Callable[..., Result]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """Runs `etl report`, or another command about a recorded run, with a text in all that it left."""

    def run(text: str, *words: str, recording: str = SUCCEEDED) -> Result:
        aws = answering(aws_with(poisoned(Recording(recording), text)).answers)
        monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)
        return etl(*(words or ("report",)))

    return run


@pytest.mark.parametrize("screen", ["terminal"], indirect=True)
@pytest.mark.parametrize("recording", [SUCCEEDED, FAILED])
@pytest.mark.parametrize("name", ALL)
def test_a_report_is_text(name: str, recording: str, screen: str, report: Report) -> None:
    for words in (["report"], ["show"], ["runs"]):
        checked(report(ALL[name], *words, recording=recording), screen)
    checked(report(ALL[name], "gaps", recording=recording), screen, 0, 1)


@pytest.mark.parametrize("name", ALL)
def test_programs_get_the_report_exactly(name: str, report: Report) -> None:
    assert ALL[name] in set(texts_in(documents(report(ALL[name], "report", "--json").stdout)))
    failed = documents(report(ALL[name], "report", "--json", recording=FAILED).stdout)
    assert failed["error"] == ALL[name]


@pytest.mark.parametrize("recording", [SUCCEEDED, FAILED])
@pytest.mark.parametrize("name", ALL)
def test_a_page_is_text(name: str, recording: str, report: Report, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert report(ALL[name], "report", "--html", str(file), recording=recording).exit_code == 0
    said = file.read_text(encoding="utf-8")

    assert_harmless(said)
    names = {tag for tag, _ in Outline(said).elements}
    assert names.isdisjoint({"script", "img"})


def test_a_page_on_a_terminal_is_text_too(report: Report) -> None:
    text = "".join((HOSTILE | SURROGATES).values())
    said = report(text, "report", "--html", "-").stdout_bytes

    assert b"evil.example" in said
    assert_harmless(said.decode())


@pytest.mark.parametrize("form", [[], ["--json"], ["--html", "-"]])
def test_a_report_without_items_has_nothing_of_them(form: list[str], report: Report) -> None:
    whole, without = (report("ann@example.org", "report", *form, option).stdout for option in ("--items", "--no-items"))

    assert "ann@example.org" in whole
    assert "--items shows them" not in " ".join(whole.split())
    told = [line for line in without.splitlines() if "ann@example.org" in line]
    assert len(told) <= 2  # names of aggregates, and of what they group by, are the transformation's own
    assert "--items shows them" in " ".join(without.split())
    assert "order-0000" not in without
    assert "order-0000" in whole


def test_an_aggregate_without_items_has_the_number_of_its_groups(report: Report) -> None:
    (aggregate,) = json.loads(report("x", "report", "--json", "--no-items").stdout)["aggregates"]

    assert (aggregate["groups"], aggregate["groups_left_out"]) == ([], 2)
    assert "2 groups" in report("x", "report", "--no-items").stdout
    assert "2 groups" in report("x", "report", "--html", "-", "--no-items").stdout


@pytest.fixture
def machine_with(machine: FakeStateMachine, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], FakeStateMachine]:
    """The state machine, whose executions leave a text wherever they can."""

    def made(text: str) -> FakeStateMachine:
        monkeypatch.setattr(state_machine, "Recording", lambda name: poisoned(Recording(name), text))
        aws = answering(machine.aws.answers)
        monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)
        return machine

    return made


FOLLOWED = [["run"], ["watch"], ["backfill", "--from", "2026-11-01", "--to", "2026-11-02"]]


@pytest.mark.parametrize("course", ["succeeded", "failed_at_gate"])
@pytest.mark.parametrize("name", ALL)
def test_a_run_is_followed_as_text(
    name: str, course: str, screen: str, machine_with: Callable[[str], FakeStateMachine]
) -> None:
    machine = machine_with(ALL[name])
    machine.course = lambda _: course
    for words in FOLLOWED:
        checked(etl(*words), screen, 0 if course == "succeeded" else 1)


@pytest.mark.parametrize("course", ["succeeded", "failed_at_gate"])
@pytest.mark.parametrize("name", ALL)
def test_programs_get_what_was_followed_exactly(
    name: str, course: str, machine_with: Callable[[str], FakeStateMachine]
) -> None:
    machine = machine_with(ALL[name])
    machine.course = lambda _: course
    for words in FOLLOWED:
        done = etl(*words, "--json")
        found = set(texts_in(documents(done.stdout)))
        assert ALL[name] in found or (words[0] == "backfill" and course == "succeeded")
        assert_harmless(done.stderr)


def printed_lines(text: str) -> list[str]:
    """What a transformation might print: a text, and what resembles the pipeline's own lines."""
    own = json.loads(fact(1, "load"))
    odd: list[Any] = [text, None, -1, 1e999, 10**400, [text], {text: text}, [[text]], True]
    changed = [json.dumps(own | {name: value}) for name in own for value in odd]
    return [
        *changed,
        text,
        json.dumps(own | dict.fromkeys(("message", "action", "run", "error", "traceback", "odd"), text)),
        json.dumps({"time": own["time"], "message": text}),
        json.dumps(own | {"time": "2026-11-03T02:00:01"}),
        json.dumps(own | {"time": "0001-01-01T00:00:00+00:00"}),
        json.dumps(own | {"time": "9999-12-31T23:59:59+00:00"}),
        '{"time":' + "[" * 100_000,
        "[" * 100_000,
        json.dumps(own)[:-1] + ', "odd": ' + "[" * 50_000 + "]" * 50_000 + "}",
        json.dumps(own)[:-1] + ', "_aws": {"CloudWatchMetrics": [7]}}',
        json.dumps(own)[:-1] + ', "segment": 1' + "0" * 5000 + "}",
    ]


@pytest.fixture
def logs_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    def made(lines: list[str]) -> None:
        events = [event(1 + number / 1000, line) for number, line in enumerate(lines)]
        aws = FakeAws(
            {
                "cloudformation.DescribeStacks": stacks(stack(state_machine.OUTPUTS)),
                "cloudwatch-logs.FilterLogEvents": {"events": events},
            }
        )
        monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)

    return made


@pytest.mark.parametrize("screen", ["terminal"], indirect=True)
@pytest.mark.parametrize("name", ALL)
def test_a_log_shows_as_text_what_is_not_the_pipelines(
    name: str, screen: str, logs_with: Callable[[list[str]], None]
) -> None:
    logs_with(printed_lines(ALL[name]))

    checked(etl("logs", "load", "--since", "2026-11-03", "--local-time"), screen)


@pytest.mark.parametrize("name", ALL)
def test_programs_get_a_document_for_each_line_of_a_log(name: str, logs_with: Callable[[list[str]], None]) -> None:
    lines = printed_lines(ALL[name])
    logs_with(lines)
    said = etl("logs", "load", "--since", "2026-11-03", "--json").stdout

    found = [documents(line) for line in said.splitlines()]
    assert len(found) == len(lines)
    assert {ALL[name].rstrip("\r\n")} <= {each.get("text") for each in found}


@pytest.mark.parametrize("name", ALL)
def test_a_refusal_of_aws_is_text(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws = answering(defaultdict(lambda: RefusalError("Odd", ALL[name])))
    monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)
    monkeypatch.setattr("etl_cli.terminal.output.open_streams", lambda: None)  # the test's own streams stay
    for words in (["runs"], ["doctor"], ["plan"], ["explain", ALL[name].replace("--help", "x")]):
        monkeypatch.setattr("sys.argv", ["etl", *words])
        with pytest.raises(SystemExit):
            main()
        said = capsys.readouterr()
        assert_harmless(said.out + said.err)
