import inspect

from etl.model import errors
from etl.model.errors import EtlError


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

    assert drawn | {"EtlError"} == {
        name for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)
    }
