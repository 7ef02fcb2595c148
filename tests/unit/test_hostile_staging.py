"""Staged objects that were harmed between two stages: refused with object and offset, set aside, or read rightly.

What a parser can't see, a digit that became another, passes: that is what checksums are for.
"""

import asyncio
import json
import re
from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest

from etl.load import load_segment
from etl.model.errors import BalanceError, EtlError, StagingError
from etl.model.run import Work
from etl.transform import transform_segment
from etl.values.attribute_values import Number, from_wire, to_wire
from etl.values.plain_json import plain_line
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.pipeline import FakePipeline
from tests.fakes.s3 import FakeS3
from tests.unit.builders import (
    array,
    destination,
    hold,
    item,
    run,
    staged,
    staging,
    through,
    unlimited,
    user_code,
    work,
)
from tests.unit.hostile import SECRET, changed, check_message, harmed, records_of, repeated, with_line
from tests.unit.values import comparable_item, nested, without_nulls

PREFIX = {stage: f"{stage}/{run().id}/" for stage in ("extract", "transform", "quarantine")}
_plain = msgspec.json.Decoder(dict[str, Any], float_hook=Number)
WHERE = r"^s3://staging/(extract|transform)/.*/data\.json .*at byte [0-9]+;"
RICH: dict[str, Any] = {
    "secret": {"S": SECRET},
    "tags": {"SS": ["a", "b"]},
    "sizes": {"NS": ["1", "2.5"]},
    "blob": {"B": "AAEC/w=="},
    "blobs": {"BS": ["AA==", "/w=="]},
    "nothing": {"NULL": True},
    "nested": {"M": {"list": {"L": [{"N": "1.25"}, {"BOOL": False}, {"NULL": True}, {"M": {"$set": {"S": "x"}}}]}}},
}
ITEMS = [item(n, **RICH) for n in range(30)]
EXTRACTED = array(ITEMS)
PLAIN = [plain_line(record) for record in from_wire(json.dumps(ITEMS).encode())]
TRANSFORMED = b"[\n" + b",\n".join(PLAIN) + b"\n]\n"

ODD_WIRE: list[Any] = [
    *(None, 1, 1.5, True, "text", [], {}, [[]], {"X": 1}, {"S": 1}, {"S": None}, {"N": True}, {"N": "abc"}, {"N": ""}),
    *({"N": "NaN"}, {"N": "-sNaN"}, {"N": "Infinity"}, {"N": "1e999999999"}, {"N": "1E-999999999"}, {"N": "9" * 5000}),
    *({"N": 10**4000}, {"N": float("nan")}, {"N": float("inf")}, {"N": "1" * 39}, {"N": "1E+126"}, {"N": "0x1"}),
    *({"S": "a", "N": "1"}, {"B": "!!"}, {"B": "YQ"}, {"B": 1}, {"BOOL": "maybe"}, {"NULL": 3}, {"M": []}, {"L": {}}),
    *({"SS": []}, {"SS": "a"}, {"SS": [1]}, {"SS": ["a", "a"]}, {"NS": ["sNaN"]}, {"NS": ["NaN", "1"]}, {"BS": ["!"]}),
    *(
        {"S": "\ud800"},
        {"M": {"\udfff": {"S": ""}}},
        {"M": {"": {"S": ""}}},
        {"M": {"x" * 10_000: {"N": "x" * 10_000}}},
    ),
    *({"M": {"$set": {"L": []}}}, {"M": {"$map": {"M": {}}}}, nested(32), nested(33), nested(33, "M"), nested(200)),
]
ODD_PLAIN: list[Any] = [
    *(None, 1, -0.5, True, "", "\ud800", [], {}, float("nan"), float("-inf"), 10**30, 10**4000, 1e300, 1.5e-200),
    *({"$set": []}, {"$set": 1}, {"$set": [1, "a"]}, {"$set": [1, 1.0]}, {"$set": ["a", "a"]}, {"$set": [[]]}),
    *({"$set": [None]}, {"$set": [{"$binary": "!"}]}, {"$set": [{"$set": [1]}]}, {"$set": {"$set": []}}),
    *({"$binary": 1}, {"$binary": "!!"}, {"$binary": "YQ"}, {"$binary": "YQ==YQ=="}, {"$binary": "\ud800"}),
    *({"$map": 1}, {"$map": []}, {"$map": {"$map": 1}}, {"$map": {"$set": 1}}, {"$binary": "YQ==", "$set": 1}),
    *([[[[]]]], ["x" * 10_000], {"x" * 10_000: {"": None}}, nested(16), nested(40), nested(40, "M")),
]


def transform(body: bytes) -> tuple[FakeS3, Work]:
    s3 = FakeS3()
    hold(s3, PREFIX["extract"] + "data.json", body)
    user = user_code(lambda record, _: record)
    return s3, transform_segment(run(), work(extract_parts=1), through(user), staging(s3), unlimited(), 1 << 26)


def check_transform(body: bytes) -> str:
    """Transform refuses an object, with nothing staged, or has each of its records in one of two places, rightly."""
    try:
        s3, done = transform(body)
    except StagingError as error:
        check_message(error, WHERE)
        return "refused"
    given = records_of(body)
    quarantine = [each["item"] for each in staged(s3, PREFIX["quarantine"])]
    good, rejected = done.counted("transformed"), done.counted("rejected_transform") + done.counted("untimed")
    assert (good + rejected, rejected, done.counted("dropped")) == (len(given), len(quarantine), 0)
    (key,) = [key for key in s3.objects if key.startswith(PREFIX["transform"])] or [""]
    lines = s3.objects[key].split(b"\n")[1:-2] if good else []
    written = [to_wire(_plain.decode(line.removesuffix(b","))) for line in lines]
    loaded = json.loads(msgspec.json.encode(written))
    kept = [record for record in given if record not in quarantine]
    if all(map(is_dynamodbs, kept)):
        assert list(map(comparable_item, loaded)) == [comparable_item(without_nulls(record)) for record in kept]
    return "set aside" if quarantine else "read"


def is_dynamodbs(record: Any) -> bool:
    """Whether a record is what DynamoDB sends, so that there is a right way to read it."""
    return isinstance(record, dict) and all(map(_is_value, record.values()))


def _is_value(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((kind, content),) = value.items()
    if kind in ("N", "S", "B"):
        return _is_scalar(kind, content)
    if kind in ("NS", "SS", "BS"):
        return isinstance(content, list) and all(_is_scalar(kind[0], member) for member in content)
    if kind in ("L", "M"):
        members = content.values() if isinstance(content, dict) else content
        return isinstance(content, list if kind == "L" else dict) and all(map(_is_value, members))
    return content is True or (kind == "BOOL" and content is False)


def _is_scalar(kind: str, text: Any) -> bool:
    if not isinstance(text, str):
        return False
    return kind != "N" or bool(re.fullmatch(r"-?[0-9]{1,38}(\.[0-9]{1,20})?", text))


def test_what_the_cases_start_from_is_read() -> None:
    assert check_transform(EXTRACTED) == "read"
    assert check_load(TRANSFORMED) == "read"


def test_transform_refuses_a_harmed_object_or_reads_what_is_there() -> None:
    outcomes = Counter(repeated("harm", 900, lambda random: check_transform(harmed(random, EXTRACTED))))

    assert outcomes["refused"] > 100


def test_transform_refuses_a_value_of_no_type_or_sets_its_record_aside() -> None:
    def case(random: Random) -> str:
        number = random.randrange(len(ITEMS))
        record = changed(random, ITEMS[number], lambda random: random.choice(ODD_WIRE))
        return check_transform(with_line(EXTRACTED, number, record))

    assert set(repeated("wire", 500, case)) == {"refused", "set aside", "read"}


@pytest.mark.parametrize("value", ODD_WIRE, ids=range(len(ODD_WIRE)))
def test_transform_survives_each_odd_value(value: Any) -> None:
    for record in ({**ITEMS[3], "odd": value}, {**ITEMS[3], "odd": {"L": [value]}}, value):
        check_transform(with_line(EXTRACTED, 3, record))


def load(s3: FakeS3, dynamodb: FakeDynamoDB, body: bytes) -> Work:
    hold(s3, PREFIX["transform"] + "data.json", body)
    return asyncio.run(load_segment(run(), work(transform_parts=1), destination(dynamodb), staging(s3), unlimited()))


def table(dynamodb: FakeDynamoDB) -> list[Any]:
    return sorted((comparable_item(each) for each in dynamodb.tables["destination"]), key=repr)


EXPECTED = sorted((comparable_item(without_nulls(each)) for each in ITEMS), key=repr)


def check_load(body: bytes) -> str:
    """Load refuses an object, with nothing written but good records, or accounts for each of its records."""
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    try:
        done = load(s3, dynamodb, body)
    except StagingError as error:
        check_message(error, WHERE)
        assert all(each in EXPECTED for each in table(dynamodb))
        load(s3, dynamodb, TRANSFORMED)
        assert table(dynamodb) == EXPECTED
        return "refused"
    quarantine = [each["item"] for each in staged(s3, PREFIX["quarantine"])]
    counts = [done.counted(name) for name in ("loaded", "superseded", "rejected_load")]
    assert sum(counts) == len(records_of(body))
    assert counts[2] == len(quarantine)
    loaded = [each for each in records_of(body) if each not in quarantine]
    assert {(each["id"], each["timestamp"]) for each in loaded} == {
        (each["id"]["S"], each["timestamp"]["S"]) for each in dynamodb.tables["destination"]
    }
    return "set aside" if quarantine else "read"


def test_load_refuses_a_harmed_object_or_accounts_for_each_record() -> None:
    outcomes = Counter(repeated("harm", 300, lambda random: check_load(harmed(random, TRANSFORMED))))

    assert outcomes["refused"] > 100


def odd_attribute(random: Random, record: dict[str, Any]) -> dict[str, Any]:
    attributes = {name: value for name, value in record.items() if name not in ("id", "timestamp")}
    odd = changed(random, attributes, lambda random: random.choice(ODD_PLAIN))
    return record | (odd if isinstance(odd, dict) else {"odd": odd})


def test_load_refuses_a_value_that_transform_does_not_write_or_sets_its_record_aside() -> None:
    def case(random: Random) -> str:
        number = random.randrange(len(PLAIN))
        return check_load(with_line(TRANSFORMED, number, odd_attribute(random, json.loads(PLAIN[number]))))

    assert set(repeated("plain", 250, case)) == {"refused", "set aside", "read"}


@pytest.mark.parametrize("value", ODD_PLAIN, ids=range(len(ODD_PLAIN)))
def test_load_survives_each_odd_value(value: Any) -> None:
    for record in (json.loads(PLAIN[3]) | {"odd": value}, json.loads(PLAIN[3]) | {"odd": [value]}):
        check_load(with_line(TRANSFORMED, 3, record))


@pytest.mark.parametrize("value", ODD_PLAIN, ids=range(len(ODD_PLAIN)))
def test_load_refuses_a_record_that_is_none(value: Any) -> None:
    assert check_load(with_line(TRANSFORMED, 3, value)) == "refused"


@pytest.mark.parametrize("levels", [1100, 10_000])
@pytest.mark.parametrize("around", [(b"[", b"]"), (b'{"a":', b"}"), (b'{"$map":', b"}")])
def test_load_refuses_levels_beyond_what_python_recurses_into(levels: int, around: tuple[bytes, bytes]) -> None:
    deep = b'{"id":"x","timestamp":"y","odd":' + around[0] * levels + b"{}" + around[1] * levels + b"}"

    assert check_load(with_line(TRANSFORMED, 27, deep)) == "refused"


@pytest.mark.parametrize("name", ["id", "timestamp"])
@pytest.mark.parametrize("value", ODD_PLAIN, ids=range(len(ODD_PLAIN)))
def test_load_refuses_a_key_that_is_no_text(name: str, value: Any) -> None:
    outcome = check_load(with_line(TRANSFORMED, 3, json.loads(PLAIN[3]) | {name: value}))

    assert outcome == ("set aside" if value == "" else "refused")


@pytest.mark.parametrize("lines", [b'{"id":{"S":"x"}},{"id":{"S":"y"}}', b"", b"{},{},{}"])
def test_a_line_that_does_not_hold_one_record_is_refused(lines: bytes) -> None:
    assert check_transform(with_line(EXTRACTED, 3, lines)) == "refused"


def test_a_binary_that_is_not_base64_is_refused_before_dynamodb_sees_it() -> None:
    for text in ("!!", "YQ", "YQ==YQ==", "Y Q=", "é"):
        assert check_load(with_line(TRANSFORMED, 3, json.loads(PLAIN[3]) | {"odd": {"$binary": text}})) == "refused"


@pytest.mark.parametrize("levels", [1000, 10_000, 100_000])
@pytest.mark.parametrize("around", [(b'{"L":[', b"]}"), (b'{"M":{"a":', b"}}"), (b"[", b"]")])
def test_levels_beyond_what_python_recurses_into_are_refused(levels: int, around: tuple[bytes, bytes]) -> None:
    deep = b'{"id":{"S":"x"},"odd":' + around[0] * levels + b'{"S":"x"}' + around[1] * levels + b"}"

    with pytest.raises(StagingError) as raised:
        transform(with_line(EXTRACTED, 27, deep))

    check_message(raised.value, WHERE)


def test_names_of_10_000_characters_and_a_record_of_400_kb_are_loaded_and_a_larger_one_is_set_aside() -> None:
    long = {**item(3), "x" * 10_000: {"S": "x"}, "m": {"M": {"y" * 10_000: {"N": "1"}}}}
    body = EXTRACTED
    for number, record in ((3, long), (4, item(4, text={"S": "x" * 399_000})), (5, item(5, text={"S": "x" * 500_000}))):
        body = with_line(body, number, record)

    assert check_transform(body) == "read"
    s3, _ = transform(body)
    dynamodb = FakeDynamoDB()
    done = load(s3, dynamodb, s3.objects[PREFIX["transform"] + "data.json"])
    assert (done.counted("loaded"), done.counted("rejected_load")) == (29, 1)
    assert comparable_item(long) in table(dynamodb)


@pytest.mark.parametrize("body", [EXTRACTED, TRANSFORMED])
def test_an_object_that_lost_its_last_line_is_refused(body: bytes) -> None:
    lines = body.split(b"\n")
    harmed = b"\n".join(lines[:-3] + lines[-2:])

    assert harmed.endswith(b"},\n]\n")
    assert (check_transform if body is EXTRACTED else check_load)(harmed) == "refused"


# Whole lines that go or come twice are valid JSON: the seal tells, and if that is changed too, the counts.


class Tampered(FakePipeline):
    """A pipeline whose staged lines are changed before a stage reads them."""

    def tamper(self, before: str, way: str, number: int, *, resealed: bool) -> None:
        self._before, self._way, self._number, self._resealed = before, way, number, resealed

    def _map(self, state: dict[str, Any], action: str, handler: Any) -> None:
        if action == self._before:
            key = f"{'extract' if action == 'transform' else 'transform'}/{state['run']['timestamp']}/data.json"
            lines = self.s3.objects[key].removeprefix(b"[\n").removesuffix(b"\n]\n").split(b",\n")
            changed = {
                "deleted": lines[: self._number] + lines[self._number + 1 :],
                "duplicated": lines[: self._number] + lines[self._number - 1 :],
                "swapped": lines[self._number :] + lines[: self._number],
            }
            body = b"[\n" + b",\n".join(changed[self._way]) + b"\n]\n"
            if self._resealed:
                hold(self.s3, key, body)
            else:
                self.s3.objects[key] = body
        super()._map(state, action, handler)


@pytest.mark.parametrize("number", [1, 13, 29])
@pytest.mark.parametrize("way", ["deleted", "duplicated", "swapped"])
@pytest.mark.parametrize("before", ["transform", "load"])
def test_a_line_that_goes_comes_twice_or_moves_breaks_the_seal(before: str, way: str, number: int) -> None:
    pipeline = Tampered(ITEMS)
    pipeline.tamper(before, way, number, resealed=False)

    with pipeline.deployed(), pytest.raises(StagingError, match="its ETag isn't that of its seal, at byte 0"):
        pipeline.run()
    assert pipeline.dynamodb.tables["destination"] == []


@pytest.mark.parametrize("number", [1, 13, 29])
@pytest.mark.parametrize("way", ["deleted", "duplicated"])
@pytest.mark.parametrize("before", ["transform", "load"])
def test_a_line_that_goes_or_comes_twice_unbalances_the_run(before: str, way: str, number: int) -> None:
    pipeline = Tampered(ITEMS)
    pipeline.tamper(before, way, number, resealed=True)

    with pipeline.deployed(), pytest.raises(BalanceError, match=r"1 (fewer|more)"):
        pipeline.run()
    if before == "transform":
        assert pipeline.dynamodb.tables["destination"] == []


def test_a_run_over_a_harmed_object_loads_nothing_of_it_or_all() -> None:
    """End to end: whatever error ends a run between Extract and Load, the destination is untouched."""

    class Harmed(FakePipeline):
        random: Random

        def _map(self, state: dict[str, Any], action: str, handler: Any) -> None:
            if action == "transform":
                key = f"extract/{state['run']['timestamp']}/data.json"
                hold(self.s3, key, harmed(self.random, self.s3.objects[key]))
            super()._map(state, action, handler)

    def case(random: Random) -> bool:
        pipeline = Harmed(ITEMS)
        pipeline.random = random
        with pipeline.deployed():
            try:
                output = pipeline.run()
            except EtlError as error:
                check_message(error, r"^(s3://staging/extract|run )")
                assert pipeline.dynamodb.tables["destination"] == []
                return False
        counts = output["counts"]
        aside = counts["rejected_transform"] + counts.get("untimed", 0)
        assert counts["read"] == counts["loaded"] + counts["superseded"] + aside
        return True

    assert set(repeated("run", 100, case)) == {True, False}


ODD_PARTIALS = [
    *(b"", b"null", b"[]", b"{}", b"\xff", b"[" * 10_000, b'{"value_by_date":5}', b'{"value_by_date":[5]}'),
    b'{"value_by_date":[{"group":["a"],"records":1,"of":[]}]}',
    b'{"value_by_date":[{"group":["a"],"records":1,"of":{"value":{"count":1,"sum":"x","min":1,"max":2}}}]}',
]


@pytest.mark.parametrize("body", ODD_PARTIALS)
def test_aggregates_that_transform_did_not_write_are_refused(body: bytes) -> None:
    pipeline = Replaced([item(1)])
    pipeline.replaced = ("/partials/", body)

    with pipeline.deployed(), pytest.raises(StagingError, match=r"partials/0000-0000\.json (doesn't hold|isn't)"):
        pipeline.run()


@pytest.mark.parametrize("line", [b"", b"5", b"{}", b'{"field":', b'{"field":"value","summary":1}'])
def test_a_quarantine_that_transform_did_not_write_is_refused(line: bytes) -> None:
    pipeline = Replaced([item(1, value="-1")])
    pipeline.replaced = ("quarantine/", b"[\n" + line + b"\n]\n")

    with pipeline.deployed(), pytest.raises(StagingError, match=r"quarantine/.*json isn't the array .* at byte \d"):
        pipeline.run()


class Replaced(FakePipeline):
    """A pipeline of which an object is replaced after Transform."""

    replaced: tuple[str, bytes]

    def _map(self, state: dict[str, Any], action: str, handler: Any) -> None:
        super()._map(state, action, handler)
        part, body = self.replaced
        if action == "transform":
            for key in [key for key in self.s3.objects if part in key and not key.startswith("seals/")]:
                hold(self.s3, key, body)
