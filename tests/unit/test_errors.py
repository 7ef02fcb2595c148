import inspect

from etl.model import errors
from etl.model.errors import EtlError


def test_the_classes_are_those_that_the_workflow_knows() -> None:
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
