"""What is advised about a failed run: by the reason, also where several reasons share an error's name."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etl.aws import clients as aws
from etl.handler import work_of
from etl.model import errors
from etl.settings import LoadSettings
from etl.user.contract import Checker
from etl.user.transformation import Transformation
from etl_cli.runs.remedies import REASONS, UNEXPECTED, remedy_for
from tests.support import ROOT


def of_aws(code: str) -> errors.EtlError:
    return aws.explained(ClientError({"Error": {"Code": code, "Message": ""}}, "GetItem"), ["etl-run-ledger"])


def raised(call: Any, *arguments: Any) -> errors.EtlError:
    with pytest.raises(errors.EtlError) as caught:
        call(*arguments)
    return caught.value


def advised(error: errors.EtlError, stage: str = "Plan", replay: str = "") -> str:
    remedy = remedy_for("FAILED", stage, type(error).__name__, str(error), replay)
    return f"{remedy.text} [{remedy.look}]"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (of_aws("ResourceNotFoundException"), "destroy it first"),
        (of_aws("AccessDenied"), "policy of others that denies"),
        (of_aws("ValidationException"), "a deployment doesn't change"),
        (raised(LoadSettings.from_env, {"MAX_WRITE_UNITS_PER_SECOND": "x"}), "it sets what the message names"),
        (raised(work_of, {}), "it sets what the message names"),
        (raised(Checker, str), "Correct pipelines/etl/transformation.py, try it with etl preview"),
        (raised(Transformation, object()), "Correct pipelines/etl/transformation.py, try it with etl preview"),
        (of_aws("Throttling"), "AWS was out of reach, or too busy, for minutes"),
        (errors.CatchUpError("2026-01-01", "2026-03-01", 30), "the oldest first: etl gaps lists it. [gaps]"),
    ],
    ids=lambda given: given[:24] if isinstance(given, str) else type(given).__name__,
)
def test_errors_of_one_name_are_told_apart(error: errors.EtlError, words: str) -> None:
    assert words in advised(error)


def messages() -> dict[str, list[str]]:
    """The messages that the functions' code raises, by the error's name; what is put into them is left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in (ROOT / "runtime" / "etl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error"):
                texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                found[node.func.id].append("".join(map(str, texts)))
    return found


def test_the_functions_still_say_what_the_reasons_are_told_by() -> None:
    raised_by_functions = messages()
    by_message = [reason for reason in REASONS if hasattr(errors, reason.error) and reason.says]
    composed = {str(of_aws(code)) for code in ("ResourceNotFoundException", "AccessDenied", "ValidationException")}

    assert len(by_message) > 10
    for reason in by_message:
        assert any(reason.says in text for text in [*raised_by_functions[reason.error], *composed]), reason


@pytest.mark.parametrize(
    ("error", "message", "text", "look"),
    [
        ("InputError", "replay: run R is still running; wait for its end", "Wait for that run's end", "runs"),
        (
            "InputError",
            "replay: nothing of run R is in quarantine, so there is nothing to run again",
            "nothing to do",
            "",
        ),
        ("TransformationError", "transform() returned nothing for 9 of 9 items", "drop_threshold_percent", "preview"),
        ("TransformationError", "transform() was stopped for 10 records", "record_seconds", "preview"),
        ("StagingError", "the aggregates, which was changed during the run", "Somebody deployed", "logs"),
        ("TransientError", "the destination table took nothing", "max_write_units_per_second", "logs"),
        ("TransientError", "the source table etl-source-data left keys", "source table more throughput", "logs"),
        ("Lambda.TooManyRequestsException", "Rate Exceeded.", "Service Quotas", "doctor"),
        (
            "Lambda.AWSLambdaException",
            "not authorized to perform: lambda:InvokeFunction",
            "may not call it",
            "doctor",
        ),
        ("Lambda.Unknown", "", "out of its time or its memory", "logs"),
        ("Lambda.ServiceException", "", "could not run a function: run the window again", "doctor"),
        ("States.DataLimitExceeded", "", "segment_bytes", "plan"),
        ("States.Runtime", "", "Deploy the stack again", "doctor"),
        ("States.Timeout", "", "30 minutes", "plan"),
        ("ZeroDivisionError", "division by zero", UNEXPECTED, "logs"),
        ("", "", UNEXPECTED, "logs"),
    ],
)
def test_each_reason_has_a_remedy_of_its_own(error: str, message: str, text: str, look: str) -> None:
    remedy = remedy_for("FAILED", "Load", error, message)

    assert text in remedy.text
    assert remedy.look.startswith(look)
    assert "{" not in remedy.text


@pytest.mark.parametrize("error", ["Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError", "NameError"])
def test_a_file_that_can_not_be_imported_is_what_to_correct(error: str) -> None:
    assert "transformation.py can't be imported" in remedy_for("FAILED", "Transform", error, "").text
    assert "transformation.py" not in remedy_for("FAILED", "Load", error, "").text


def test_a_replay_is_replayed_again_and_not_run_by_its_window() -> None:
    assert "replay run R1 again" in advised(errors.StagingError("s3://b/extract/R2/data.json is missing"), replay="R1")
    gone = errors.StagingError("s3://b/quarantine/R1/transform-0000-0000.json is missing")
    assert "run that run's window again. [runs]" in advised(gone, replay="R1")


@pytest.mark.parametrize(("status", "words"), [("ABORTED", "by mistake"), ("TIMED_OUT", "30 minutes")])
def test_a_run_without_an_error_is_told_by_its_status(status: str, words: str) -> None:
    assert words in remedy_for(status, "Load", "", "").text
