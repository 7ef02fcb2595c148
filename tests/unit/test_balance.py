import msgspec
import pytest

from etl.model.balance import check_loaded, check_quarantine, check_transformed
from etl.model.counts import judged, set_aside
from etl.model.errors import BalanceError
from etl.model.run import Replayed
from tests.unit.builders import run

TRANSFORMED = {
    "read": 17,
    "left": 0,
    "extracted": 17,
    "transformed": 6,
    "dropped": 3,
    "ahead": 2,
    "untimed": 5,
    "rejected_transform": 1,
}
LOADED = {"records": 12, "loaded": 8, "superseded": 3, "rejected_load": 1}


def changed(counts: dict[str, int], name: str, by: int) -> dict[str, int]:
    """The counts, one of them off."""
    return counts | {name: counts[name] + by}


def test_a_transform_that_adds_up_is_balanced() -> None:
    check_transformed(run(), TRANSFORMED)


def test_a_load_that_adds_up_is_balanced() -> None:
    check_loaded(run(), LOADED)


def test_a_run_without_any_item_is_balanced() -> None:
    check_transformed(run(), dict.fromkeys(TRANSFORMED, 0))
    check_loaded(run(), dict.fromkeys(LOADED, 0))


@pytest.mark.parametrize(
    ("name", "by", "message"),
    [
        ("read", 1, "DynamoDB returned 18 records and extract accounts for 17, 1 fewer"),
        ("read", -1, "DynamoDB returned 16 records and extract accounts for 17, 1 more"),
        ("extracted", 1, "DynamoDB returned 17 records and extract accounts for 18, 1 more"),
        ("transformed", -1, "extract wrote 17 records and transform accounts for 16, 1 fewer"),
        ("ahead", -2, "extract wrote 17 records and transform accounts for 15, 2 fewer"),
        ("untimed", -3, "extract wrote 17 records and transform accounts for 14, 3 fewer"),
        ("dropped", 2, "extract wrote 17 records and transform accounts for 19, 2 more"),
        ("rejected_transform", -1, "extract wrote 17 records and transform accounts for 16, 1 fewer"),
    ],
)
def test_a_transform_that_is_short_on_one_side_is_told_which(name: str, by: int, message: str) -> None:
    with pytest.raises(BalanceError, match=message):
        check_transformed(run(), changed(TRANSFORMED, name, by))


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (1, "extract wrote 18 records and transform accounts for 17, 1 fewer"),
        (-1, "extract wrote 16 records and transform accounts for 17, 1 more"),
    ],
)
def test_a_transform_that_did_not_read_what_extract_wrote_is_told_so(by: int, message: str) -> None:
    with pytest.raises(BalanceError, match=message):
        check_transformed(run(), changed(changed(TRANSFORMED, "read", by), "extracted", by))


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
    assert "a staged object was changed under transform/20240116T020000123Z/: start" in str(error.value)
    assert "start a new run of the window 2024-01-15T00:00:00Z to 2024-01-16T00:00:00Z" in str(error.value)


def test_a_replay_accounts_for_what_it_leaves_where_it_is() -> None:
    check_transformed(run(), TRANSFORMED | {"read": 19, "left": 2})

    replay = msgspec.structs.replace(run(), replay=Replayed("20240116T010000000Z", "arn:replayed"))
    with pytest.raises(BalanceError, match="quarantine held 19 records and extract accounts for 18, 1 fewer"):
        check_transformed(replay, TRANSFORMED | {"read": 19, "left": 1})


def test_items_ahead_and_items_without_a_time_are_not_the_runs_to_judge() -> None:
    assert judged(TRANSFORMED) == 17 - 2 - 5
    assert judged({"read": 5, "untimed": 5}) == judged({}) == 0


def test_quarantine_holds_rejected_items_and_those_without_a_time() -> None:
    counts = {"rejected_transform": 1, "untimed": 5, "rejected_load": 3}

    assert (set_aside(counts, "transform"), set_aside(counts, "load")) == (6, 3)
    assert set_aside({}, "transform") == 0


def test_what_a_stage_set_aside_lies_in_quarantine() -> None:
    check_quarantine(run(), "transform", 3, 3)


@pytest.mark.parametrize(("found", "difference"), [(1199, "1 fewer"), (1202, "2 more")])
def test_a_quarantine_that_holds_more_or_less_is_told_by_how_much(found: int, difference: str) -> None:
    with pytest.raises(BalanceError, match=f"load set 1,200 records aside and {found:,} lie in .*, {difference};"):
        check_quarantine(run(), "load", 1200, found)
