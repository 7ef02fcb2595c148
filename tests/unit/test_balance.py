import msgspec
import pytest

from etl.model.balance import check_balance, check_quarantine
from etl.model.counts import BALANCE, COUNTS, Share, judged, rejected, rejected_share, set_aside
from etl.model.errors import BalanceError
from etl.model.run import Replayed
from etl.model.stages import BEFORE_GATE, LOAD
from tests.unit.builders import run

TRANSFORMED = {
    "read": 17,
    "left": 0,
    "extracted": 17,
    "transformed": 6,
    "dropped": 3,
    "ahead": 2,
    "outside": 0,
    "excluded": 0,
    "untimed": 5,
    "rejected_transform": 1,
}
LOADED = {"records": 12, "loaded": 8, "superseded": 3, "rejected_load": 1}


def changed(counts: dict[str, int], name: str, by: int) -> dict[str, int]:
    """The counts, one of them off."""
    return counts | {name: counts[name] + by}


def check(counts: dict[str, int], replay: bool = False) -> None:
    given = msgspec.structs.replace(run(), replay=Replayed("20240116T010000000Z", "arn:replayed") if replay else None)
    check_balance(given, counts, BEFORE_GATE if "read" in counts else [LOAD])


@pytest.mark.parametrize("counts", [TRANSFORMED, LOADED])
def test_counts_that_add_up_are_balanced(counts: dict[str, int]) -> None:
    check(counts)
    check(dict.fromkeys(counts, 0))


@pytest.mark.parametrize(
    ("name", "by", "facts"),
    [
        ("read", 1, ["DynamoDB", "18 records", "extract", "17, 1 fewer"]),
        ("read", -1, ["DynamoDB", "16 records", "extract", "17, 1 more"]),
        ("extracted", 1, ["DynamoDB", "17 records", "extract", "18, 1 more"]),
        ("transformed", -1, ["extract wrote", "17 records", "transform", "16, 1 fewer"]),
        ("ahead", -2, ["extract wrote", "17 records", "transform", "15, 2 fewer"]),
        ("untimed", -3, ["extract wrote", "17 records", "transform", "14, 3 fewer"]),
        ("dropped", 2, ["extract wrote", "17 records", "transform", "19, 2 more"]),
        ("rejected_transform", -1, ["extract wrote", "17 records", "transform", "16, 1 fewer"]),
        ("records", 1, ["transform wrote", "13 records", "load", "12, 1 fewer"]),
        ("records", -1, ["transform wrote", "11 records", "load", "12, 1 more"]),
        ("loaded", -1, ["transform wrote", "12 records", "load", "11, 1 fewer"]),
        ("superseded", 1, ["transform wrote", "12 records", "load", "13, 1 more"]),
        ("rejected_load", 1, ["transform wrote", "12 records", "load", "13, 1 more"]),
    ],
)
def test_an_imbalance_names_the_stage_and_the_difference(name: str, by: int, facts: list[str]) -> None:
    with pytest.raises(BalanceError) as error:
        check(changed(TRANSFORMED if name in TRANSFORMED else LOADED, name, by))

    assert [fact for fact in facts if fact not in str(error.value)] == []


@pytest.mark.parametrize("by", [1, -1])
def test_transform_accounts_for_what_extract_wrote(by: int) -> None:
    with pytest.raises(BalanceError, match=f"extract wrote {17 + by} records and transform"):
        check(changed(changed(TRANSFORMED, "read", by), "extracted", by))


def test_an_imbalance_shows_every_count_and_the_window() -> None:
    with pytest.raises(BalanceError) as error:
        check(changed(LOADED, "records", 1234))

    assert "(records 1,246, loaded 8, superseded 3, rejected_load 1)" in str(error.value)
    assert "transform/20240116T020000123Z/" in str(error.value)
    assert "2024-01-15T00:00:00Z to 2024-01-16T00:00:00Z" in str(error.value)


def test_a_replay_accounts_for_records_that_it_cannot_take_up() -> None:
    check(TRANSFORMED | {"read": 19, "left": 2})

    with pytest.raises(BalanceError, match=r"quarantine held 19 records .* 18, 1 fewer"):
        check(TRANSFORMED | {"read": 19, "left": 1}, replay=True)


def test_only_the_stages_asked_for_are_checked() -> None:
    check_balance(run(), changed(TRANSFORMED, "dropped", 1), ["extract"])


def test_items_ahead_or_without_a_time_are_not_judged() -> None:
    assert judged(TRANSFORMED) == 17 - 2 - 5
    assert judged({"read": 5, "untimed": 5}) == judged({}) == 0


def test_quarantine_holds_rejected_and_untimed_records() -> None:
    counts = {"rejected_transform": 1, "untimed": 5, "rejected_load": 3}

    assert (set_aside(counts, "transform"), set_aside(counts, "load"), set_aside(counts)) == (6, 3, 9)
    assert (rejected(counts, "transform"), rejected(counts, "load"), rejected(counts)) == (1, 3, 4)
    assert set_aside({}, "transform") == 0


@pytest.mark.parametrize(("action", "share"), [("gate", Share(1, 10)), ("finish", Share(3, 12))])
def test_gate_and_finish_judge_different_shares(action: str, share: Share) -> None:
    assert rejected_share(action, TRANSFORMED | LOADED | {"rejected_load": 3}) == share


def test_a_quarantine_with_all_records_passes() -> None:
    check_quarantine(run(), "transform", 3, 3)


@pytest.mark.parametrize(("found", "difference"), [(1199, "1 fewer"), (1202, "2 more")])
def test_a_quarantine_of_another_size_fails(found: int, difference: str) -> None:
    with pytest.raises(BalanceError, match=rf"load .*1,200 .*{found:,}, {difference};"):
        check_quarantine(run(), "load", 1200, found)


def test_every_count_of_the_balance_is_in_the_table() -> None:
    assert {name for line in BALANCE for name in (line.total, *line.parts)} <= set(COUNTS)
