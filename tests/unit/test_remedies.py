"""The remedies: by the reason that an error carries, else by its name, its family or the status of the run."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from etl.aws import clients as aws
from etl.handler import work_of
from etl.model.errors import NAMES, CatchUpError, EtlError, InputError, Reason, StagingError, reason_of
from etl.model.remedies import REMEDIES, UNFORESEEN, Remedy, remedy_for
from etl.model.stages import FINISH, STAGES
from etl.settings import LoadSettings
from etl.user.contract import Checker
from etl.user.transformation import Transformation


def of_aws(code: str) -> EtlError:
    return aws.explained(ClientError({"Error": {"Code": code, "Message": ""}}, "GetItem"), ["etl-run-ledger"])


def raised(call: Any, *arguments: Any) -> EtlError:
    with pytest.raises(EtlError) as caught:
        call(*arguments)
    return caught.value


def advised(error: EtlError, stage: str = "Plan", replay: str = "") -> Remedy:
    return remedy_for("FAILED", stage, type(error).__name__, str(error), replay)


def same(remedy: Remedy, key: str) -> bool:
    again = REMEDIES[key].text.format(again="run the window again")
    return remedy == Remedy(again, REMEDIES[key].look)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (of_aws("ResourceNotFoundException"), Reason.NOT_FOUND),
        (of_aws("NoSuchBucket"), Reason.NOT_FOUND),
        (of_aws("AccessDenied"), Reason.ACCESS_DENIED),
        (of_aws("ValidationException"), Reason.REFUSED),
        (of_aws("Throttling"), "TransientError"),
        (raised(LoadSettings.from_env, {"MAX_WRITE_UNITS_PER_SECOND": "x"}), "ConfigurationError"),
        (raised(work_of, {}), "ConfigurationError"),
        (raised(Checker, str), "TransformationError"),
        (raised(Transformation, object()), "TransformationError"),
        (CatchUpError("2026-01-01", "2026-03-01", 30), "CatchUpError"),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_an_error_has_the_remedy_of_its_reason_or_its_name(error: EtlError, key: str) -> None:
    assert same(advised(error), key)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_survives_the_message_and_has_a_remedy(reason: Reason) -> None:
    error = InputError("the text is free to change", reason)

    assert reason_of("InputError", str(error)) is reason
    assert same(advised(error), reason)


@pytest.mark.parametrize("message", ["", "plain", "[refused]", "ends with [1, 2]", "[refused] in the middle"])
def test_a_message_without_a_reason_has_none(message: str) -> None:
    assert reason_of("InputError", message) is None


@pytest.mark.parametrize("error", ["KeyError", "Lambda.Unknown", "States.Timeout", "Runtime.ExitError", "", "EtlError"])
def test_only_an_error_of_the_pipeline_has_a_reason(error: str) -> None:
    message = f"any text [{Reason.SOURCE_BUSY}]"

    assert reason_of(error, message) is None
    assert remedy_for("FAILED", "Load", error, message) == remedy_for("FAILED", "Load", error, "")


@pytest.mark.parametrize(
    ("error", "key"),
    [
        ("Lambda.TooManyRequestsException", "Lambda.TooManyRequestsException"),
        ("Lambda.Unknown", "Lambda.Unknown"),
        ("Lambda.ServiceException", "Lambda."),
        ("States.DataLimitExceeded", "States.DataLimitExceeded"),
        ("States.Runtime", "States."),
        ("States.Timeout", "States.Timeout"),
        ("Runtime.OutOfMemory", "Runtime.OutOfMemory"),
    ],
)
def test_an_error_of_aws_has_its_own_or_its_familys_remedy(error: str, key: str) -> None:
    assert same(remedy_for("FAILED", "Load", error, ""), key)


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "UNKNOWN"])
def test_a_run_without_an_error_has_the_remedy_of_its_status(status: str) -> None:
    assert same(remedy_for(status, "Load", "", ""), status)


@pytest.mark.parametrize("error", ["ZeroDivisionError", ""])
def test_any_other_error_sends_you_to_the_log(error: str) -> None:
    assert remedy_for("FAILED", "Load", error, "").look == UNFORESEEN.look


@pytest.mark.parametrize("error", ["Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError", "NameError"])
@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage.action != "plan"], ids=lambda stage: stage.state)
def test_only_stages_that_import_your_file_ask_you_to_correct_it(error: str, stage: Any) -> None:
    asks = "transformation.py" in remedy_for("FAILED", stage.state, error, "").text

    assert asks is (stage.function == "transform")


def test_a_replay_is_replayed_again() -> None:
    assert "replay run R1 again" in advised(StagingError("s3://b/extract/R2/data.json is missing"), replay="R1").text
    assert advised(StagingError("gone", Reason.QUARANTINE_LOST), replay="R1").look == "runs"


def test_every_error_has_a_remedy_that_is_filled_in() -> None:
    assert REMEDIES.keys() >= NAMES
    assert not [key for key in REMEDIES if "{" in remedy_for("FAILED", FINISH, key, "").text]
