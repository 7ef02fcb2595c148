import pytest

from etl.balance import check_loaded, check_transformed
from etl.errors import BalanceError
from etl.run import Work
from tests.unit.builders import run, work

TRANSFORMED = [
    work(extracted=10, transformed=6, dropped=3, rejected_transform=1),
    work(segment=1, extracted=2, dropped=2),
]
LOADED = [work(records=10, loaded=6, superseded=3, rejected_load=1), work(segment=1, records=2, loaded=2)]


def changed(segments: list[Work], name: str, by: int) -> list[Work]:
    """The segments, one of them with a count that is off."""
    counts = segments[0].counts | {name: segments[0].counts[name] + by}
    return [Work(segment=0, counts=counts), *segments[1:]]


def test_a_transform_that_adds_up_is_balanced() -> None:
    check_transformed(run(), TRANSFORMED)


def test_a_load_that_adds_up_is_balanced() -> None:
    check_loaded(run(), LOADED)


def test_a_run_without_any_item_is_balanced() -> None:
    check_transformed(run(), [work()])
    check_loaded(run(), [work()])


@pytest.mark.parametrize(
    ("name", "by", "message"),
    [
        ("extracted", 1, "extract wrote 13 records and transform accounts for 12, 1 fewer"),
        ("extracted", -1, "extract wrote 11 records and transform accounts for 12, 1 more"),
        ("transformed", -1, "extract wrote 12 records and transform accounts for 11, 1 fewer"),
        ("dropped", 2, "extract wrote 12 records and transform accounts for 14, 2 more"),
        ("rejected_transform", -1, "extract wrote 12 records and transform accounts for 11, 1 fewer"),
    ],
)
def test_a_transform_that_is_short_on_one_side_is_told_which(name: str, by: int, message: str) -> None:
    with pytest.raises(BalanceError, match=message):
        check_transformed(run(), changed(TRANSFORMED, name, by))


@pytest.mark.parametrize(
    ("name", "by", "message"),
    [
        ("records", 1, "transform wrote 13 records and load accounts for 12, 1 fewer"),
        ("records", -1, "transform wrote 11 records and load accounts for 12, 1 more"),
        ("loaded", -1, "transform wrote 12 records and load accounts for 11, 1 fewer"),
        ("superseded", 1, "transform wrote 12 records and load accounts for 13, 1 more"),
        ("rejected_load", 1, "transform wrote 12 records and load accounts for 13, 1 more"),
    ],
)
def test_a_load_that_is_short_on_one_side_is_told_which(name: str, by: int, message: str) -> None:
    with pytest.raises(BalanceError, match=message):
        check_loaded(run(), changed(LOADED, name, by))


def test_the_error_shows_every_count_and_what_to_do() -> None:
    with pytest.raises(BalanceError) as error:
        check_loaded(run(), changed(LOADED, "records", 1234))

    assert "(records 1,246, loaded 8, superseded 3, rejected_load 1)" in str(error.value)
    assert "start a new run of the window 2024-01-15T00:00:00Z to 2024-01-16T00:00:00Z" in str(error.value)
