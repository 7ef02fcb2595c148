import inspect
import pickle
from decimal import Decimal

from etl.model import errors
from etl.model.errors import EtlError, RejectedError, TooSlowError, UntimedError


def test_an_error_that_ends_an_invocation_is_an_etl_error_of_a_class_of_its_own() -> None:
    classes = {name for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, EtlError)}

    assert classes == {
        "EtlError",
        "InputError",
        "CatchUpError",
        "ConfigurationError",
        "CodeChangedError",
        "TransformationError",
        "StagingError",
        "QualityGateError",
        "BalanceError",
        "UnexpectedError",
        "TransientError",
    }


def test_the_drawing_of_the_errors_shows_every_class() -> None:
    drawn = {line.split()[1] for line in (errors.__doc__ or "").splitlines() if "──" in line}

    assert drawn | {"EtlError", "OutOfMemoryError", "RejectedError", "TooSlowError", "UntimedError"} == {
        name for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)
    }


def test_a_rejection_reads_as_a_sentence() -> None:
    assert str(RejectedError("value", "a number >= 0", "-5")) == "value: expected a number >= 0, got -5"


def test_a_rejection_of_the_whole_record_says_so() -> None:
    assert str(RejectedError("", "an item that DynamoDB takes", "one of 500 KB")).startswith("record: expected")


def test_a_rejection_takes_the_value_itself() -> None:
    assert RejectedError("value", "a number >= 0", Decimal("-5.5")).got == "-5.5"


def test_a_rejection_is_the_same_in_another_process() -> None:
    summed_up = RejectedError("value", "a number >= 0", -5)
    summed_up.summary = "value: expected a number >= 0"
    untimed = UntimedError("timestamp", "a time", "'soon'")
    untimed.summary = "timestamp: expected a time"
    slow = TooSlowError(10, "(transformation.py line 3)")
    for error in (summed_up, untimed, slow, RejectedError.of_record("text", "none")):
        copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own

        assert type(copied) is type(error)
        assert vars(copied) == vars(error)
        assert str(copied) == str(error)
