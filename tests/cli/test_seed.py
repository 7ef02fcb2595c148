"""The made-up items of the source table, and `etl seed`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from etl_cli.aws.deployment import Deployment
from etl_cli.commands.seed import print_seeded, require_local
from etl_cli.items import seed
from etl_cli.items.seed import Item, Mix, make_items, write_items
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from tests.docs.examples import example
from tests.fakes.aws import FakeAws
from tests.fakes.recording import RecordedTables

REFERENCE = datetime(2026, 11, 24, 20, tzinfo=UTC)
COUNT = 5000
THRESHOLD_PERCENT = 5  # of the quality gate
DAY = timedelta(days=1)
kind_of = Mix().kind_of


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return list(make_items(COUNT, REFERENCE))


def good(items: list[Item]) -> Iterator[Item]:
    return (item for number, item in enumerate(items) if kind_of(number) != "invalid")


def test_the_same_arguments_give_the_same_items(items: list[Item]) -> None:
    assert list(make_items(COUNT, REFERENCE)) == items


def test_more_items_begin_with_the_same_ones(items: list[Item]) -> None:
    assert list(make_items(10, REFERENCE)) == items[:10]


def test_another_seed_gives_other_orders_with_the_same_ids(items: list[Item]) -> None:
    others = list(make_items(10, REFERENCE, seed=1))

    assert [item["id"] for item in others] == [item["id"] for item in items[:10]]
    assert all(other != item for other, item in zip(others, items, strict=False))


def test_ids_are_unique(items: list[Item]) -> None:
    assert len({item["id"] for item in items}) == COUNT


def test_invalid_items_stay_below_the_threshold_of_the_gate() -> None:
    kinds: Counter[str] = Counter()
    for number in range(COUNT):
        kinds[kind_of(number)] += 1
        assert 100 * kinds["invalid"] <= 0.6 * THRESHOLD_PERCENT * (kinds["invalid"] + kinds["recent"])


def test_recent_items_lie_in_a_window_of_the_next_hour(items: list[Item]) -> None:
    latest_start = REFERENCE + timedelta(hours=1) - timedelta(hours=24, minutes=15)
    for number, item in enumerate(items):
        if kind_of(number) == "recent":
            assert latest_start < datetime.fromisoformat(item["timestamp"]) <= REFERENCE


@pytest.mark.parametrize(("late", "invalid"), [(0, 0), (100, 0), (0, 100), (30, 20), (6, 1)])
def test_shares_are_exact_in_each_hundred(late: int, invalid: int) -> None:
    mix = Mix(late, invalid)
    for first in (0, 100, 700):
        kinds = Counter(mix.kind_of(first + number) for number in range(100))
        assert (kinds["late"], kinds["invalid"]) == (late, invalid)


@pytest.mark.parametrize("days", [1, 2, 10])
def test_late_items_lie_days_before_the_good_ones(days: int) -> None:
    mix = Mix(late_percent=30, invalid_percent=0, days=days)
    ages: dict[str, list[timedelta]] = {"recent": [], "late": []}
    for number, item in enumerate(make_items(1000, REFERENCE, mix=mix)):
        ages[mix.kind_of(number)].append(REFERENCE - datetime.fromisoformat(item["timestamp"]))

    assert timedelta(0) <= min(ages["recent"])
    assert (days - 0.2) * DAY < max(ages["recent"]) < days * DAY
    assert (days + 2) * DAY <= min(ages["late"]) < max(ages["late"]) < (days + 30) * DAY


def test_all_flaws_occur_at_any_share() -> None:
    for invalid in (1, 7, 100):
        mix = Mix(0, invalid)
        numbers = [number for number in range(1000) if mix.kind_of(number) == "invalid"]
        assert sorted(map(mix.flaw_of, numbers)) == list(range(len(numbers)))
        assert len({flaw(item) for item in make_items(1000, REFERENCE, mix=mix) if flaw(item) != "none"}) == 6


def test_good_items_have_a_time_and_a_value(items: list[Item]) -> None:
    for item in good(items):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", item["timestamp"])
        assert isinstance(item["value"], Decimal)
        assert item["value"] >= 0


def test_there_are_timestamps_with_and_without_a_fraction(items: list[Item]) -> None:
    assert {len(item["timestamp"]) for item in good(items)} == {20, 24, 27}


def test_each_flaw_breaks_the_contract(items: list[Item]) -> None:
    broken = [item for number, item in enumerate(items) if kind_of(number) == "invalid"]
    found = Counter(map(flaw, broken))

    assert found == {
        "negative value": 20,
        "value as text": 10,
        "no value": 5,
        "value of null": 5,
        "no timestamp": 5,
        "malformed timestamp": 5,
    }


def flaw(item: Item) -> str:
    for name in ("value", "timestamp"):
        if name not in item:
            return f"no {name}"
    if not item["timestamp"].endswith("Z"):
        return "malformed timestamp"
    if item["value"] is None:
        return "value of null"
    return "value as text" if isinstance(item["value"], str) else "negative value" if item["value"] < 0 else "none"


def test_each_good_item_has_all_ten_types_of_dynamodb(items: list[Item]) -> None:
    serialize = TypeSerializer().serialize
    for item in list(good(items))[:200]:
        kinds = {next(iter(serialize(value))) for value in item.values()}
        assert kinds == {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}


def test_items_survive_the_serializer_of_boto3(items: list[Item]) -> None:
    serialize, deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize
    for item in items[:300]:
        wired = {name: serialize(value) for name, value in item.items()}
        assert {name: deserialize(value) for name, value in wired.items()} == item


def test_there_are_numbers_of_38_digits_and_tiny_ones(items: list[Item]) -> None:
    for item in good(items[:100]):
        assert len(item["eur_per_unit"].as_tuple().digits) == 38
        assert 0 < item["lines"][0]["lot"]["defects"] < Decimal("0.1")


def written(dynamodb: RecordedTables, count: int) -> int:
    return write_items(cast(Any, dynamodb), "source", make_items(count, REFERENCE))


def test_all_items_are_written() -> None:
    dynamodb = RecordedTables({"source": []})

    assert written(dynamodb, 60) == 60
    assert sorted(item["id"]["S"] for item in dynamodb.tables["source"]) == [f"order-{n:06}" for n in range(1, 61)]


def test_progress_never_exceeds_the_written_items() -> None:
    dynamodb = RecordedTables({"source": []})
    seen: list[int] = []
    write_items(cast(Any, dynamodb), "source", make_items(500, REFERENCE), seen.append)

    assert seen == sorted(seen)
    assert 0 < seen[-1] <= 500


def test_unprocessed_items_are_written_again() -> None:
    dynamodb = RecordedTables({"source": []})
    dynamodb.unprocessed = [3, 1]

    assert written(dynamodb, 25) == 25
    assert len(dynamodb.tables["source"]) == 25
    assert dynamodb.writes == 3


def test_a_throttled_table_is_an_error_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed, "_PATIENCE_SECONDS", 0.0)
    dynamodb = RecordedTables({"source": []})
    dynamodb.unprocessed = [1] * 100

    with pytest.raises(UserError, match="source"):
        written(dynamodb, 25)


def deployment(endpoint: str) -> Deployment:
    client = FakeAws({}, endpoint=endpoint).session.client("dynamodb")
    return Deployment("etl-source-data", "destination", "bucket", "machine", client, *cast(Any, [None] * 3))


def test_made_up_items_are_for_the_local_environment_only() -> None:
    require_local(deployment("http://127.0.0.1:4566"))
    with pytest.raises(UserError, match="etl-source-data") as caught:
        require_local(deployment("https://dynamodb.eu-west-1.amazonaws.com"))
    assert "--yes" in caught.value.remedy


def test_the_documented_example_of_seed_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    print_seeded("etl-source-data", 1000, REFERENCE, Mix(), EtlLines(program="etl"))

    assert capsys.readouterr().out == example("etl seed")
