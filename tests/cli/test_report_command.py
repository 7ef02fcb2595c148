"""`etl report`: the page is written where it shall be, and the other forms are those of a run's end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner, Result

from etl.model.instants import format_instant
from etl_cli.app import app
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.summary.contents import EXPIRED
from etl_cli.terminal.errors import UserError
from tests.cli.html_outline import Outline
from tests.cli.report_pages import FAILED, SUCCEEDED, answers_of, run_of
from tests.cli.test_show import aws_of
from tests.docs.examples import example
from tests.fakes.aws import Answer, FakeAws, RefusalError
from tests.fakes.recording import Recording

Report = Callable[..., Result]


def ledger_of(entry: LedgerEntry) -> dict[str, Answer]:
    """The ledger with one run."""

    def text(value: str | datetime) -> dict[str, str]:
        return {"S": value if isinstance(value, str) else format_instant(value)}

    assert entry.window
    assert entry.started
    assert entry.finished
    texts: dict[str, str | datetime] = {
        "kind": "run",
        "id": entry.name,
        "execution": entry.execution,
        "status": entry.status,
        "run": entry.run,
        "window_start": entry.window.start,
        "window_end": entry.window.end,
        "started_at": entry.started,
        "finished_at": entry.finished,
        "stage": entry.stage,
        "error": entry.error,
        "cause": entry.cause,
    }
    item = {name: text(value) for name, value in texts.items()} | {
        "segments": {"N": str(entry.segments)},
        "counts": {"M": {name: {"N": str(number)} for name, number in entry.counts.items()}},
    }
    return {"dynamodb.Query": {"Items": [item]}}


def aws_with(
    recording: Recording, entry: LedgerEntry | None = None, changes: dict[str, Answer] | None = None
) -> FakeAws:
    """AWS with a recorded run, its ledger, and what it left."""
    aws = aws_of(recording, answers_of(recording) | ledger_of(entry or run_of(recording)) | (changes or {}))
    item = aws.answers["dynamodb.GetItem"]
    assert callable(item)
    aws.answers["dynamodb.GetItem"] = lambda **asked: {} if "kind" in asked["Key"] else item(**asked)  # no watermark
    return aws


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """Runs `etl report` with these options, against AWS with a run."""

    def run(*options: str, aws: FakeAws | None = None) -> Result:
        made = aws or aws_with(Recording(SUCCEEDED))
        monkeypatch.setattr(boto3, "Session", lambda **_: made.session)
        return CliRunner().invoke(app, ["report", *options], catch_exceptions=False)

    return run


def test_the_page_is_written(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "night.html"
    done = report("--html", str(file))

    assert done.exit_code == 0
    assert done.stdout.startswith(f"Wrote {file}, ")
    assert Outline(file.read_text()).said("h1") == ["104 loaded, 34 rejected, nothing unaccounted for"]


def test_the_example_of_the_documentation(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    size = re.compile(r"[\d.]+ kB")  # which changes with prices, and with the page's style

    said = report("20261126T020841333Z", "--html", "night.html").stdout

    assert size.sub("30.0 kB", said) == size.sub("30.0 kB", example("etl report"))


def test_the_page_of_a_failed_run_is_written_too(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "night.html"
    done = report("latest", "--html", str(file), "--no-items", aws=aws_with(Recording(FAILED)))

    assert done.exit_code == 0
    assert Outline(file.read_text()).said("h1") == ["The run failed at Gate"]
    assert "order-000542" not in file.read_text()


def test_the_page_is_printed(report: Report) -> None:
    done = report("--html", "-")

    assert done.exit_code == 0
    assert done.stdout_bytes.startswith(b"<!doctype html>")
    assert done.stdout_bytes.endswith(b"</html>")


def test_half_a_character_is_visible(report: Report) -> None:
    recording = Recording(SUCCEEDED)
    key = next(key for key in recording.s3.objects if key.startswith("quarantine/"))
    recording.s3.objects[key] = re.sub(r'("got": ?")', r"\1before \\ud800 after", recording.s3.objects[key])

    done = report("--html", "-", aws=aws_with(recording))

    assert done.exit_code == 0
    assert rb"before \ud800 after" in done.stdout_bytes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--html", "there.html"], "there.html exists already."),
        (["--html", "nowhere/night.html"], "There is no folder "),
        (["--html", "night.html", "--json"], "--html and --json are two forms of the report."),
        (["no-such-run"], "The ledger has no run 'no-such-run'."),
    ],
)
def test_invalid_options_are_refused(
    report: Report, options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.html").write_text("mine")

    with pytest.raises(UserError, match=message):
        report(*options)
    assert Path("there.html").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "there.html"]


def test_a_file_is_replaced_if_asked_for(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "there.html"
    file.write_text("mine")

    assert report("--html", str(file), "--force").exit_code == 0
    assert file.read_text().startswith("<!doctype html>")


def test_a_file_that_comes_to_be_meanwhile_stays(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "there.html"
    aws = aws_with(Recording(SUCCEEDED))
    describe = aws.answers["sfn.DescribeExecution"]
    assert isinstance(describe, dict)

    def written_meanwhile(**_: object) -> dict[str, object]:
        file.write_text("mine")
        return describe

    aws.answers["sfn.DescribeExecution"] = written_meanwhile

    with pytest.raises(UserError, match="can't be written: File exists"):
        report("--html", str(file), aws=aws)
    assert file.read_text() == "mine"


def test_a_run_that_goes_on_has_no_report(report: Report) -> None:
    recording = Recording(SUCCEEDED)
    entry = replace(run_of(recording), status="RUNNING", started=datetime.now(UTC))
    running = recording.description | {"status": "RUNNING"}
    del recording.events[20:]
    aws = aws_with(recording, entry, {"sfn.DescribeExecution": running})

    with pytest.raises(UserError, match="has not ended") as raised:
        report("--region", "us-east-1", aws=aws)
    assert raised.value.remedy.endswith(f"etl watch {entry.name} --region us-east-1")


def test_the_terminal_gets_the_report_of_a_run_s_end(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = report().stdout

    assert "✔ 104 loaded, 34 rejected" in said
    assert "Rejected: 34" in said
    assert "One item, before and after" in said
    assert "etl logs --run 20261126T020841333Z" in said


def test_the_report_remains_without_the_objects_that_expired(report: Report) -> None:
    recording = Recording(SUCCEEDED)
    recording.s3.objects.clear()
    gone = RefusalError("ExecutionDoesNotExist")
    forgotten: dict[str, Answer] = {"sfn.DescribeExecution": gone, "sfn.GetExecutionHistory": gone}

    for aws in (aws_with(recording), aws_with(recording, changes=forgotten)):
        said = report(aws=aws).stdout
        assert "✔ 104 loaded, 34 rejected" in said
        assert "One item" not in said


def test_the_terminal_gets_the_reason_and_the_remedy(report: Report) -> None:
    done = report(aws=aws_with(Recording(FAILED)))

    assert done.exit_code == 0
    assert "✘ The run failed at Gate: QualityGateError" in done.stdout
    assert "etl quarantine show" in done.stdout


def test_programs_get_json(report: Report) -> None:
    succeeded = json.loads(report("--json").stdout)
    failed = json.loads(report("--json", aws=aws_with(Recording(FAILED))).stdout)

    assert (succeeded["status"], succeeded["counts"]["loaded"], succeeded["rejected"]) == ("success", 104, 34)
    assert (failed["status"], failed["stage"], failed["error"]) == ("failed", "Gate", "QualityGateError")


def test_expired_contents_are_said(report: Report) -> None:
    recording = Recording(SUCCEEDED)
    for key in [key for key in recording.s3.objects if key.startswith(("extract/", "transform/"))]:
        del recording.s3.objects[key]
    said = report(aws=aws_with(recording)).stdout

    assert "✔ 104 loaded" in said
    assert " ".join(EXPIRED.split()) in " ".join(said.split())
    assert "before and after\n" not in said
    assert json.loads(report("--json", aws=aws_with(recording)).stdout)["left_out"] == EXPIRED
    assert json.loads(report("--json", "--no-items", aws=aws_with(recording)).stdout)["left_out"] == EXPIRED
    assert json.loads(report("--json", aws=aws_with(Recording(SUCCEEDED))).stdout)["left_out"] is None
