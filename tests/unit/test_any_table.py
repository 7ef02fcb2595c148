"""Whole runs over tables with other keys and other times, from settings alone; each table compared item by item."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypedDict

import pytest

from etl.model.keys import KeyAttribute, KeyAttributes, KeyType
from etl.model.rejection import RejectedError
from etl.user.aggregates import Aggregate
from tests.fakes.dynamodb import Item
from tests.fakes.pipeline import EXECUTION, FakePipeline
from tests.unit.builders import keys, staged

ANOTHER = EXECUTION | {"id": "arn:aws:states:execution:2", "name": "2", "started_at": "2024-01-17T02:00:00.456Z"}
RUN = "20240116T020000123Z"
ITEMS = 60
LONG = "ключ ☕ " * 15  # 255 bytes of UTF-8 with what follows
LONG += "x" * (255 - len(LONG.encode()))


class Nothing(TypedDict):
    """A contract that accepts every item."""


def module(transform: Callable[[dict[str, Any], Any], Any], *aggregates: Aggregate) -> Any:
    return SimpleNamespace(Contract=Nothing, transform=transform, AGGREGATES=aggregates)


def as_it_is(record: dict[str, Any], _: Any) -> Any:
    return record


def strict(record: dict[str, Any], _: Any) -> Any:
    """Reject each fifth item."""
    if record["number"] % 5 == 0:
        raise RejectedError("expected another number", field="number", got=record["number"])
    return record


def key(*attributes: tuple[str, KeyType]) -> KeyAttributes:
    return tuple(KeyAttribute(name, kind) for name, kind in attributes)


def values(kind: KeyType, number: int, *, same: bool = False) -> dict[str, str]:
    """A value of a key; the same for all items if it is a partition key that they share."""
    number = 7 if same else number
    if kind == "N":
        return {"N": str(Decimal(number - 30) / 4)}
    text = f"schlüssel {number}"
    return {"S": text} if kind == "S" else {"B": b64encode(text.encode()).decode()}


@dataclass(frozen=True)
class Table:
    """A table and the settings that a pipeline needs for it.

    Attributes:
        key: its key.
        cursor: the path of its change time, as settings have it.
        form: the format of that time.
        inside, outside: times of the run's window, and not of it, in DynamoDB JSON.
    """

    key: KeyAttributes
    cursor: str
    form: str
    inside: dict[str, Any]
    outside: dict[str, Any]

    @property
    def settings(self) -> dict[str, str]:
        escaped = (each.name.replace("\\", r"\\").replace(",", r"\,") + f":{each.type}" for each in self.key)
        return {
            "SOURCE_CURSOR": self.cursor,
            "SOURCE_CURSOR_FORMAT": self.form,
            "DESTINATION_KEYS": ",".join(escaped),
        }

    def item(self, number: int, time: dict[str, Any], **more: Any) -> Item:
        made: Item = {"number": {"N": str(number)}, "weight": {"N": "0.1"}, **more}
        for place, each in enumerate(self.key):
            made[each.name] = values(each.type, number, same=place == 0 and len(self.key) > 1 and number % 2 == 0)
        *maps, last = self.cursor.replace(r"\.", "\0").split(".")
        value = {last.replace("\0", "."): time}
        for name in reversed(maps):
            value = {name: {"M": value}}
        return made | value

    def items(self) -> list[Item]:
        """Of each four items, one isn't of the window."""
        return [self.item(n, self.outside if n % 4 == 1 else self.inside) for n in range(ITEMS)]

    def is_inside(self, item: Item) -> bool:
        return self.form == "none" or int(item["number"]["N"]) % 4 != 1


TABLES = {
    "S": Table(key(("id", "S")), "timestamp", "iso", {"S": "2024-01-15T10:00:00.5Z"}, {"S": "2024-01-13T10:00:00Z"}),
    "S+S": Table(
        key(("pk", "S"), ("sk", "S")),
        "audit.updated",
        "iso_offset",
        {"S": "2024-01-16T02:30:00+01:00"},
        {"S": "2024-01-16T03:30:00+01:00"},
    ),
    "S+N": Table(key(("pk", "S"), ("sk", "N")), "at", "epoch_s", {"N": "1.7053128E+9"}, {"N": "1705100000.9"}),
    "N": Table(key(("number of it", "N")), r"a\.b", "epoch_ms", {"S": "1705312800000"}, {"S": "1705100000000"}),
    "B": Table(key(("blob", "B")), "day", "date", {"S": "2024-01-15"}, {"S": "2024-01-13"}),
    "reserved": Table(
        key(("#size.of", "S"), ('"select" \\,', "B")),
        "timestamp",
        "iso_local",
        {"S": "2024-01-15 23:59"},
        {"S": "2024-01-14 01:44"},
    ),
    "long": Table(key((LONG, "N"), ("timestamp", "S")), "none", "none", {"S": "x"}, {"S": "y"}),
}


def canonical(items: Iterable[Item]) -> list[Any]:
    """Items without the spellings of their numbers, in an order."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: str(Decimal(each).normalize() + 0) if name == "N" and isinstance(each, str) else plain(each)
                for name, each in value.items()
            }
        return value

    return sorted((plain(item) for item in items), key=lambda item: json.dumps(item, sort_keys=True))


def pipeline_of(table: Table, items: list[Item] | None = None, *, segments: int = 2) -> FakePipeline:
    pipeline = FakePipeline(table.items() if items is None else items, segments=segments)
    pipeline.dynamodb.keys = {"source": table.key, "destination": table.key}
    return pipeline


@pytest.mark.parametrize("name", TABLES)
def test_the_items_of_the_window_are_loaded_and_no_others(name: str) -> None:
    table = TABLES[name]
    pipeline = pipeline_of(table)
    pipeline.dynamodb.script = [3, 1, 2]  # some are left unprocessed, and answered in another spelling
    with pipeline.deployed(table.settings, module(as_it_is)):
        output = pipeline.run()

    inside = [item for item in table.items() if table.is_inside(item)]
    assert canonical(pipeline.dynamodb.tables["destination"]) == canonical(inside)
    assert output["counts"]["loaded"] == len(inside)
    assert output["counts"]["load_throttled"] == 3
    assert output["counts"]["scanned"] == ITEMS


@pytest.mark.parametrize("name", TABLES)
def test_a_replay_takes_up_each_item_as_it_is_now(name: str) -> None:
    table = TABLES[name]
    pipeline = pipeline_of(table)
    settings = table.settings | {"REJECT_THRESHOLD_PERCENT": "50"}
    with pipeline.deployed(settings, module(strict)):
        output = pipeline.run()
    rejected = [n for n in range(0, ITEMS, 5) if table.is_inside(table.item(n, table.inside))]
    assert output["counts"]["rejected_transform"] == len(rejected)
    assert len(staged(pipeline.s3, f"quarantine/{RUN}/")) == len(rejected)

    corrected = [item | {"corrected": {"BOOL": True}} for item in pipeline.dynamodb.tables["source"]]
    gone = corrected.pop(0)
    pipeline.dynamodb.tables["source"] = corrected
    pipeline.dynamodb.undone_keys = [1]
    with pipeline.deployed(settings, module(as_it_is)):
        replayed = pipeline.run({"replay": RUN}, ANOTHER)

    assert gone["number"] == {"N": "0"}  # it is taken up from quarantine
    numbers = {str(number) for number in rejected[1:]}
    expected = [
        item | ({"corrected": {"BOOL": True}} if item["number"]["N"] in numbers else {})
        for item in table.items()
        if table.is_inside(item)
    ]
    assert canonical(pipeline.dynamodb.tables["destination"]) == canonical(expected)
    assert replayed["counts"]["loaded"] == len(rejected)


@pytest.mark.parametrize("spellings", [["1", "1.0", "1E0"], ["0", "-0", "0.00"], ["-2.50", "-25E-1", "-2.5"]])
def test_a_number_key_is_one_key_in_every_spelling(spellings: list[str]) -> None:
    """transform() makes records whose keys are spelt differently: the last one wins, as in DynamoDB."""

    def respelt(record: dict[str, Any], _: Any) -> Any:
        number = int(record["number"])
        return {"n": Decimal(spellings[number % 3]), "last": number}

    table = Table(key(("n", "N")), "timestamp", "none", {"S": "x"}, {"S": "x"})
    pipeline = pipeline_of(table, [table.item(n, table.inside) for n in range(9)], segments=1)
    pipeline.dynamodb.script = [1]
    with pipeline.deployed(table.settings | {"PART_BYTES": "1024"}, module(respelt, Aggregate(name="all", by=["n"]))):
        output = pipeline.run()

    last = staged(pipeline.s3, f"transform/{RUN}/data")[-1]
    (loaded,) = pipeline.dynamodb.tables["destination"]
    assert loaded["last"] == {"N": str(last["last"])}
    assert (output["counts"]["loaded"], output["counts"]["superseded"]) == (1, 8)
    (group,) = json.loads(pipeline.s3.objects[output["keys"]["aggregates"]])["aggregates"][0]["groups"]
    assert group["records"] == 9


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        *(("S", value) for value in (None, "", 5, b"x", "x" * 2049, "☕" * 683, ["x"])),
        *(("N", value) for value in (None, "5", True, b"5", [5])),
        *(("B", value) for value in (None, b"", "x", b"x" * 2049, 5)),
    ],
)
def test_a_record_without_a_fit_key_goes_to_quarantine(kind: KeyType, bad: Any) -> None:
    def spoilt(record: dict[str, Any], _: Any) -> Any:
        if record["number"] == 3:
            record["k"] = bad
        if record["number"] == 4:
            del record["k"]
        return record

    table = Table(key(("k", kind)), "timestamp", "none", {"S": "x"}, {"S": "x"})
    pipeline = pipeline_of(table)
    with pipeline.deployed(table.settings, module(spoilt)):
        output = pipeline.run()

    assert (output["counts"]["loaded"], output["counts"]["rejected_transform"]) == (ITEMS - 2, 2)
    assert {each["field"] for each in staged(pipeline.s3, f"quarantine/{RUN}/")} == {"k"}


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        *(("S", value) for value in ("x", "x" * 2048, "☕" * 682 + "xx")),
        *(("N", value) for value in (0, Decimal("-0.0"), 10**37, Decimal("1E-130"), Decimal("9.9E+125"))),
        *(("B", value) for value in (b"\x00", b"x" * 2048)),
    ],
)
def test_a_key_at_the_bounds_is_loaded(kind: KeyType, good: Any) -> None:
    table = Table(key(("k", kind)), "timestamp", "none", {"S": "x"}, {"S": "x"})
    pipeline = pipeline_of(table, [table.item(1, table.inside)], segments=1)
    with pipeline.deployed(table.settings, module(lambda record, _: record | {"k": good})):
        output = pipeline.run()

    assert output["counts"]["loaded"] == 1


@pytest.mark.parametrize(("size", "loaded"), [(1024, 1), (1025, 0)])
@pytest.mark.parametrize("kind", ["S", "B"])
def test_a_sort_key_has_a_bound_of_its_own(kind: KeyType, size: int, loaded: int) -> None:
    value: Any = "x" * size if kind == "S" else b"x" * size
    table = Table(key(("p", "S"), ("s", kind)), "timestamp", "none", {"S": "x"}, {"S": "x"})
    pipeline = pipeline_of(table, [table.item(1, table.inside)], segments=1)
    settings = table.settings | {"REJECT_THRESHOLD_PERCENT": "100"}
    with pipeline.deployed(settings, module(lambda record, _: record | {"s": value})):
        output = pipeline.run()

    assert output["counts"]["loaded"] == loaded


UNUSABLE: list[dict[str, Any]] = [
    {},
    {"audit": {"S": "not a map"}},
    {"audit": {"M": {}}},
    {"audit": {"M": {"updated.at": {"S": "soon"}}}},
    {"audit": {"M": {"updated.at": {"BOOL": True}}}},
    {"audit.updated.at": {"S": "2024-01-15T10:00:00Z"}},
]


@pytest.mark.parametrize("form", ["iso", "iso_offset", "iso_local", "date", "epoch_s", "epoch_ns"])
@pytest.mark.parametrize(
    ("missing", "count"), [("quarantine", "untimed"), ("include", "included"), ("exclude", "excluded")]
)
def test_items_without_a_time_are_treated_and_counted_as_the_settings_say(missing: str, count: str, form: str) -> None:
    usable = {"S": "1705312800"} if form == "epoch_s" else {"N": "1705312800000000000"}
    times = {"iso": "2024-01-15T10:00:00Z", "iso_offset": "2024-01-15T10:00:00Z", "iso_local": "2024-01-15 10:00"}
    if not form.startswith("epoch"):
        usable = {"S": times.get(form, "2024-01-15")}
    table = Table(key(("id", "S")), r"audit.updated\.at", form, usable, usable)
    items = [table.item(n, usable) for n in range(20)]
    for number, unusable in enumerate(UNUSABLE):
        del items[number]["audit"]
        items[number] |= unusable
    pipeline = pipeline_of(table, items)
    with pipeline.deployed(table.settings | {"SOURCE_CURSOR_MISSING": missing}, module(as_it_is)):
        counts = pipeline.run()["counts"]

    assert {name: counts.get(name, 0) for name in ("untimed", "included", "excluded")} == {
        "untimed": 0,
        "included": 0,
        "excluded": 0,
        count: len(UNUSABLE),
    }
    loaded = 20 if missing == "include" else 20 - len(UNUSABLE)
    assert (counts["read"], counts["extracted"], counts["loaded"]) == (20, 20, loaded)
    assert canonical(pipeline.dynamodb.tables["destination"]) == canonical(items[20 - loaded :])
    assert len(staged(pipeline.s3, "quarantine/")) == (len(UNUSABLE) if missing == "quarantine" else 0)


def test_a_day_is_read_again_by_a_run_that_begins_within_it() -> None:
    table = TABLES["B"]
    pipeline = pipeline_of(table, [table.item(1, {"S": "2024-01-15"}), table.item(2, {"S": "2024-01-16"})])
    counts = []
    with pipeline.deployed(table.settings, module(as_it_is)):
        for number, window in enumerate(
            [
                {"start": "2024-01-14T00:00:00Z", "end": "2024-01-15T12:00:00Z"},
                {"start": "2024-01-15T12:00:00Z", "end": "2024-01-16T00:00:00Z"},
                {"start": "2024-01-16T00:00:00Z", "end": "2024-01-16T00:00:01Z"},
            ]
        ):
            execution = ANOTHER | {"id": f"arn:aws:states:execution:{number}"}
            counts.append(pipeline.run(window, execution)["counts"]["loaded"])

    assert counts == [1, 1, 1]


def test_the_plan_of_a_run_has_the_key_of_the_source() -> None:
    table = TABLES["reserved"]
    pipeline = pipeline_of(table)
    with pipeline.deployed(table.settings, module(as_it_is)):
        pipeline.run()

    manifest = next(json.loads(body) for name, body in pipeline.s3.objects.items() if name.endswith("/run.json"))
    assert manifest["schema"]["source"] == [{"name": each.name, "type": each.type} for each in table.key]
    assert keys(pipeline.s3, "extract/")
