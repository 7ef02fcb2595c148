"""No value and no name of a record is told where it is kept: canaries in every field, and every way to fail."""

import json
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from etl.model.errors import EtlError
from etl.staging.keys import partial_key
from tests.fakes.dynamodb import Item
from tests.fakes.faults import client_error
from tests.fakes.pipeline import EXECUTION, FakePipeline
from tests.unit.builders import hold, item, run

CANARY = "CANARY"
HEAD = """
from decimal import Decimal
from typing import Annotated, Any, TypedDict
from msgspec import Meta
from etl.user.aggregates import Aggregate
from etl.user.contract import Number, Text
from etl.model.errors import RejectedError, StagingError
"""
CONTRACT = "class Contract(TypedDict):\n    id: Text\n    timestamp: Text\n"
KEEP = "def transform(record, run):\n    return record\n"


def canaries(number: int) -> Item:
    """An item with canaries in each of its fields, as values and as names at several levels."""
    text = {"S": "CANARY-text"}
    deep = {"M": {"CANARY.deep": {"L": [text, {"M": {"CANARY[0]deeper": {"N": "1"}}}]}}}
    return item(
        number,
        CANARYattribute={"M": {"CANARY key": deep, "CANARY-other": text}},
        prices={"M": {"CANARY-customer": text}},
        address={"M": {"city": {"N": "5"}, "CANARY-street": text}},
        tags={"SS": ["CANARY-member"]},
        kind={"S": "CANARY- at `$.CANARY`"},
    ) | {"id": {"S": f"CANARY-{number}"}, "name": {"S": "CANARY - at `$.CANARY`"}}


def made(tmp_path: Path, source: str) -> ModuleType:
    """A transformation file, imported."""
    path = tmp_path / "transformation.py"
    path.write_text(HEAD + source)
    spec = spec_from_file_location("transformation_with_canaries", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(pipeline: FakePipeline, capsys: pytest.CaptureFixture[str], module: ModuleType) -> tuple[str, str]:
    """The error that ends the run, if one does; and all that is kept: cause, log with metrics, ledger, output."""
    cause, output = "", {}
    with pipeline.deployed(module=module):
        try:
            output = pipeline.run()
        except EtlError as error:
            cause = f"{type(error).__name__}: {error}"
    kept = [cause, capsys.readouterr().out, json.dumps(pipeline.dynamodb.ledger.entries()), json.dumps(output)]
    return cause, "\n".join(kept)


def transforming(body: str) -> str:
    return CONTRACT + "def transform(record, run):\n" + "".join(f"    {line}\n" for line in body.splitlines())


def aggregating(aggregate: str, body: str = "return record") -> str:
    return transforming(body) + f"AGGREGATES = [Aggregate({aggregate})]\n"


# Each with what the cause says of it.
REJECTED = {
    "an attribute that is missing": (CONTRACT + "    missing: Text\n" + KEEP, "missing: expected an attribute of this"),
    "a value of a map": (CONTRACT + "    prices: dict[str, Number]\n" + KEEP, "prices[...]: expected a number"),
    "a name of a map": (
        CONTRACT + '    prices: dict[Annotated[str, Meta(pattern="^[a-z]+$")], Any]\n' + KEEP,
        "prices: expected names that are text matching regex '^[a-z]+$'",
    ),
    "an attribute within one": (
        "class Address(TypedDict):\n    city: Text\n" + CONTRACT + "    address: Address\n" + KEEP,
        "address.city: expected text",
    ),
    "a member of a set": (CONTRACT + "    tags: set[int]\n" + KEEP, "tags[...]: expected a whole number"),
    "no such choice": (
        "from typing import Literal\n" + CONTRACT + '    kind: Literal["a"]\n' + KEEP,
        "kind: expected a value that the contract allows",
    ),
    "a name as the text of an exception": (transforming('record["CANARY-nothing"]'), "expected no KeyError in"),
    "a value as the text of an exception": (
        transforming('raise ValueError(record["id"])'),
        "record: expected no ValueError in transform()",
    ),
    "an exception with causes": (
        transforming(
            'try:\n    int(record["id"])\nexcept ValueError as error:\n    raise KeyError(str(record)) from error'
        ),
        "expected no KeyError in transform()",
    ),
    "a class made of data": (
        transforming('raise type(record["id"], (ArithmeticError,), {})(record["id"])'),
        "expected no ArithmeticError in transform()",
    ),
    "an error of the pipeline's classes": (transforming("raise StagingError(str(record))"), "no StagingError in"),
    "an end of the process": (transforming('raise SystemExit(record["id"])'), "expected no SystemExit in"),
    "texts of its own": (
        transforming("raise RejectedError(record['id'], f'not {record}', record)"),
        "an attribute that the contract doesn't name: a reason of transform()'s own",
    ),
    "a text that stands in the file": (
        transforming("raise RejectedError('timestamp', 'a workday', record['id'])"),
        "timestamp: expected a workday;",
    ),
    "a name below one of the contract": (
        transforming(
            "raise RejectedError(f'timestamp.{record['id']}[7]'.replace('x', 'y'), 'a workday', 1)".replace(
                "f'timestamp.{record['id']}[7]'", "'timestamp.' + record['id'] + '[7]'"
            )
        ),
        "within timestamp: expected a workday;",
    ),
    "a summary of its own": (
        transforming("error = RejectedError('', 'x' + record['id'], 1)\nerror.summary = record['id']\nraise error"),
        "record: a reason of transform()'s own",
    ),
    "a rejection without texts": (
        transforming(
            "class Bad(RejectedError):\n    def __init__(self, text):\n        Exception.__init__(self, text)\n"
            "raise Bad(record['id'])"
        ),
        "record: expected no RejectedError in transform()",
    ),
    "a value that isn't DynamoDB's": (
        transforming('record["CANARY-new.name[0]"] = 1j\nreturn record'),
        "attribute 10 of the record that transform() returned: expected str, int",
    ),
    "one deep below": (
        transforming('record["CANARYattribute"]["CANARY key"]["CANARY.deep"][1]["CANARY"] = 1j\nreturn record'),
        "attribute 1 of the record that transform() returned: expected str, int",
    ),
    "one in a set": (transforming('record["tags"] = {"CANARY", 1}\nreturn record'), "attribute 7 of the record"),
    "one behind a declared one": (
        transforming('record["timestamp.CANARY"] = 1j\nreturn record'),
        "attribute 10 of the record that transform() returned",
    ),
    "one below a declared one": (
        CONTRACT + "    prices: Any\n" + "def transform(record, run):\n"
        '    record["prices"]["CANARY"] = 1j\n    return record\n',
        "within prices: expected str, int",
    ),
    "a name that isn't text": (transforming('record[b"CANARY"] = 1\nreturn record'), "record: expected names that are"),
    "a name that UTF-8 can't write": (transforming('record["CANARY\\ud800"] = 1\nreturn record'), "expected text that"),
    "no key": (transforming('record["id"] = {"CANARY": 1}\nreturn record'), "id: expected text that isn't empty"),
    "no record": (transforming('return [type(record["id"], (), {})()]'), "record: expected transform() to return"),
    "an iterator that fails": (transforming('yield record\nraise KeyError(record["id"])'), "expected no KeyError in"),
    "a group": (
        aggregating('name="by", by=["group"]', 'return record | {"group": record["prices"]}'),
        "group: expected text, a number or nothing, to group by by",
    ),
    "a number of a group": (aggregating('name="sums", of={"kind": ["sum"]}'), "kind: expected a number or nothing"),
}


@pytest.mark.parametrize("way", REJECTED)
def test_a_run_that_rejects_too_much_tells_why_and_no_canary(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, reason = REJECTED[way]
    pipeline = FakePipeline([canaries(1), canaries(2)])
    cause, kept = told(pipeline, capsys, made(tmp_path, source))

    assert cause.startswith("QualityGateError: ")
    assert f"Most common: 2 times {reason}" in cause or reason in cause.partition("Most common: 2 times ")[2]
    assert CANARY not in kept
    assert any(CANARY in body.decode() for key, body in pipeline.s3.objects.items() if key.startswith("quarantine/"))


def test_aggregates_with_canaries_leave_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = aggregating('name="by", by=["kind", "name"], of={"value": ["sum"]}, load=True')
    cause, kept = told(FakePipeline([canaries(1)]), capsys, made(tmp_path, source))

    assert not cause
    assert CANARY not in kept


def test_more_groups_than_allowed_are_not_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.user.aggregates.MAX_GROUPS", 1)
    cause, kept = told(
        FakePipeline([canaries(1), canaries(2)]), capsys, made(tmp_path, aggregating('name="n", by=["id"]'))
    )

    assert cause.startswith("TransformationError: aggregate n has more than 1 groups")
    assert CANARY not in kept


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ValidationException", "QualityGateError"),
        ("SerializationException", "ConfigurationError"),
        ("UnforeseenException", "ConfigurationError"),
    ],
)
def test_what_dynamodb_says_of_an_item_is_not_told(
    code: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = FakePipeline([canaries(1)])
    refusal = client_error(code, message="Type mismatch for CANARYattribute", operation="BatchWriteItem")
    pipeline.dynamodb.script = [refusal, refusal]
    cause, kept = told(pipeline, capsys, made(tmp_path, CONTRACT + KEEP))

    assert cause.startswith(f"{error}: ")
    assert CANARY not in kept


class Broken(FakePipeline):
    """A pipeline in which something is done to what a stage has staged."""

    def __init__(self, harm: Callable[[FakePipeline], None], after: str) -> None:
        super().__init__([canaries(1)])
        self._harm, self._after = harm, after

    def _map(self, state: dict[str, Any], action: str, handler: Any) -> None:
        super()._map(state, action, handler)
        if action == self._after:
            self._harm(self)


def _replace(prefix: str, body: bytes) -> Callable[[FakePipeline], None]:
    def harm(pipeline: FakePipeline) -> None:
        key = next(key for key in sorted(pipeline.s3.objects) if key.startswith(prefix) and key.endswith("data.json"))
        hold(pipeline.s3, key, body)

    return harm


def _odd_partial(body: bytes) -> Callable[[FakePipeline], None]:
    return lambda pipeline: hold(pipeline.s3, partial_key(run(), 0, 0), body)


@pytest.mark.parametrize(
    "harm",
    [
        (_replace("extract/", b'[\n{"id":{"CANARY":1}}\n]\n'), "extract"),
        (_replace("extract/", b'[\n{"CANARY":\n]\n'), "extract"),
        (_replace("transform/", b'[\n{"CANARY":1}\n]\n'), "transform"),
        (_replace("transform/", b'[\n{"id":"CANARY","timestamp":"x","v":{"$set":["CANARY",1]}}\n]\n'), "transform"),
        (_odd_partial(b'{"CANARY":[]}'), "transform"),
        (_odd_partial(b'{"by":[{"group":["a"],"records":1,"of":{"CANARY":{}}}]}'), "transform"),
        (_odd_partial(b'{"by":[{"group":["a"],"records":1,"of":{"value":{"CANARY":1}}}]}'), "transform"),
    ],
    ids=range(7),
)
def test_a_staged_object_that_was_changed_is_not_quoted(
    harm: tuple[Callable[[FakePipeline], None], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = aggregating('name="by", by=["kind"], of={"value": ["sum"]}', "return {**record, 'kind': 'a'}")
    cause, kept = told(Broken(*harm), capsys, made(tmp_path, source))

    assert cause.startswith("StagingError: ")
    assert CANARY not in kept


def test_a_fault_of_the_pipelines_own_code_is_told_by_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> bytes:
        raise KeyError(str(arguments))

    monkeypatch.setattr("etl.transform.rejected_line", fail)
    cause, kept = told(
        FakePipeline([canaries(1)]), capsys, made(tmp_path, transforming('raise KeyError(record["id"])'))
    )

    assert cause.startswith("UnexpectedError: KeyError in test_canaries.py, line ")
    assert '"traceback"' in kept
    assert CANARY not in kept


def test_the_ledger_of_these_tests_is_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cause, kept = told(FakePipeline([item(1)]), capsys, made(tmp_path, CONTRACT + KEEP))

    assert not cause
    for part in ('"status": "SUCCEEDED"', '"window_start"', "CloudWatchMetrics", EXECUTION["name"]):
        assert part in kept
