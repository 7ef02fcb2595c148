import inspect
import pickle
from decimal import Decimal

import pytest

from etl.model import rejection
from etl.model.rejection import OutOfMemoryError, RejectedError, TooSlowError, UntimedError


def test_the_drawing_of_the_rejections_shows_every_class() -> None:
    drawn = {line.split()[-1] if "──" not in line else line.split()[1] for line in _drawing()}

    assert drawn == {name for name, each in inspect.getmembers(rejection, inspect.isclass) if _is_rejection(each)}


def _drawing() -> list[str]:
    return [line for line in (rejection.__doc__ or "").splitlines() if "Error" in line]


def _is_rejection(kind: type) -> bool:
    return issubclass(kind, RejectedError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RejectedError("expected a number >= 0", field="value", got="-5"), "value: expected a number >= 0, got -5"),
        (RejectedError("is missing", field="value"), "value: is missing"),
        (RejectedError("expected a number", field="value", got=None), "value: expected a number, got None"),
        (RejectedError("must be smaller", got="500 KB"), "record: must be smaller, got 500 KB"),
    ],
)
def test_a_rejection_names_field_rule_and_finding(error: RejectedError, text: str) -> None:
    assert str(error) == text


def test_a_rejection_takes_the_value_itself() -> None:
    assert RejectedError("expected a number >= 0", field="value", got=Decimal("-5.5")).got == "-5.5"


def test_a_rejection_has_no_summary_of_data_by_itself() -> None:
    assert "secret" not in RejectedError("secret", field="secret", got="secret").summary


def summed_up() -> RejectedError:
    error = RejectedError("expected a number >= 0", field="value", got=-5)
    error.summary = "value: expected a number >= 0"
    return error


@pytest.mark.parametrize(
    "error",
    [
        summed_up(),
        UntimedError("is missing", field="timestamp"),
        TooSlowError.after(10, "(transformation.py line 3)"),
        OutOfMemoryError.at(5_000_000, "(transformation.py line 3)"),
        RejectedError.of_record("must be text", "none"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_rejection_is_the_same_in_another_process(error: RejectedError) -> None:
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own

    assert type(copied) is type(error)
    assert vars(copied) == vars(error)
    assert str(copied) == str(error)


@pytest.mark.parametrize(
    ("error", "facts"),
    [(TooSlowError.after(10, "(line 3)"), ("10 s", "(line 3)")), (OutOfMemoryError.at(5_000), ("memory", "5,000"))],
)
def test_a_stopped_record_is_rejected_with_its_rule(error: RejectedError, facts: tuple[str, str]) -> None:
    assert facts[0] in error.rule
    assert facts[1] in error.got
    assert error.summary == f"record: {error.rule}"
