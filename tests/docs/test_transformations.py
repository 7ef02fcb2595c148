"""docs/transformations.md, run: each example goes through Transform, Gate and Load with the input that is shown."""

import asyncio
import json
import re
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from etl.gate import pass_gate
from etl.load import load_segment
from etl.transform import transform_segment
from etl.user.aggregates import LONGEST_GROUP, MAX_GROUPS, MOST_BYTES
from etl.user.contract import Checker
from etl.user.transformation import MOST_LINE_BYTES, MOST_RESULTS_BYTES, Transformation
from etl.values.attribute_values import Number, from_wire, to_wire
from etl.values.plain_json import MAX_DEPTH, plain_line
from etl_cli.items.seed import make_items
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.s3 import FakeS3
from tests.support import ROOT
from tests.unit.builders import ANY_SHARE, destination, hold, run, staged, staging, through, unlimited
from tests.unit.builders import work as new_work

PAGE = (ROOT / "docs" / "transformations.md").read_text()
BLOCK = re.compile(r"^(?P<label>[^\n]*)\n\n```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCE, DESTINATION = "From the source table:", "To the destination table:"
QUARANTINE, REASONS, AGGREGATES = "In quarantine:", "The reasons in quarantine:", "In the aggregates:"


@dataclass
class Example:
    """A block of Python, with its shown input and output by their labels."""

    heading: str
    code: str
    shown: dict[str, str] = field(default_factory=dict)


def _examples() -> list[Example]:
    examples: list[Example] = []
    for match in BLOCK.finditer(PAGE):
        if match["language"] == "python":
            heading = re.findall(r"^#+ (.*)$", PAGE[: match.start()], re.MULTILINE)[-1]
            examples.append(Example(heading, match["text"]))
        else:
            examples[-1].shown[match["label"]] = match["text"]
    return examples


EXAMPLES = _examples()
TRANSFORMATIONS = [example for example in EXAMPLES if "def test_" not in example.code]
TESTS = [example for example in EXAMPLES if "def test_" in example.code]
_plain = msgspec.json.Decoder(dict[str, Any], float_hook=Number)


def defined(example: Example) -> dict[str, Any]:
    """The names of the file: the first example with this one's changes."""
    names: dict[str, Any] = {"__name__": "transformation"}
    for code in dict.fromkeys([EXAMPLES[0].code, example.code]):
        exec(compile(code, "pipelines/etl/transformation.py", "exec"), names)  # noqa: S102 - the page's own examples
    return names


@dataclass
class Outcome:
    """The result of an example: the destination's records as plain JSON, the groups, the rejected records."""

    loaded: list[Any]
    groups: list[Any]
    rejected: list[Any]


def carried_out(example: Example) -> Outcome:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    items = [msgspec.json.encode(to_wire(_plain.decode(line))) for line in example.shown[SOURCE].splitlines()]
    hold(s3, "extract/20240116T020000123Z/data.json", b"[\n" + b",\n".join(items) + b"\n]\n")
    work = new_work(read=len(items), extracted=len(items), extract_parts=1)
    user = Transformation(SimpleNamespace(**defined(example)))
    work = transform_segment(run(), work, through(user), staging(s3), unlimited(), 10**9)
    state = pass_gate(run(), [work], staging(s3), user.aggregates, ANY_SHARE)
    asyncio.run(load_segment(run(), work, destination(dynamodb), staging(s3), unlimited()))
    written = [exactly(plain_line(each)) for each in from_wire(json.dumps(dynamodb.tables["destination"]).encode())]
    document = exactly(s3.objects[state["gate"]["aggregates"]])
    return Outcome(
        loaded=sorted(written, key=lambda record: str(record["id"])),
        groups=document["aggregates"][0]["groups"],
        rejected=staged(s3, "quarantine/"),
    )


def exactly(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def lines(text: str) -> list[Any]:
    return [exactly(line) for line in text.splitlines()]


def shown(label: str) -> list[Any]:
    """The examples that show this, as parameters."""
    return [pytest.param(each, id=each.heading) for each in TRANSFORMATIONS if label in each.shown]


@pytest.mark.parametrize("example", shown(DESTINATION))
def test_the_destination_gets_the_records_shown(example: Example) -> None:
    assert carried_out(example).loaded == lines(example.shown[DESTINATION])


@pytest.mark.parametrize("example", shown(REASONS))
def test_quarantine_has_the_reasons_shown(example: Example) -> None:
    reasons = [each["reason"] for each in carried_out(example).rejected]

    assert reasons == example.shown[REASONS].splitlines()


@pytest.mark.parametrize("example", shown(QUARANTINE))
def test_quarantine_has_the_records_shown(example: Example) -> None:
    assert carried_out(example).rejected == lines(example.shown[QUARANTINE])


@pytest.mark.parametrize("example", shown(AGGREGATES))
def test_the_aggregates_are_those_shown(example: Example) -> None:
    assert carried_out(example).groups == lines(example.shown[AGGREGATES])


@pytest.mark.parametrize("example", [pytest.param(each, id=each.heading) for each in TRANSFORMATIONS])
def test_items_are_rejected_where_that_is_shown_and_nowhere_else(example: Example) -> None:
    outcome = carried_out(example)

    assert bool(outcome.rejected) == bool({REASONS, QUARANTINE} & example.shown.keys())


@pytest.mark.parametrize("example", [pytest.param(each, id=each.heading) for each in TRANSFORMATIONS])
def test_each_example_takes_the_demos_items(example: Example) -> None:
    items = make_items(500, datetime(2024, 1, 16, tzinfo=UTC))
    source = "".join(f"{plain_line(item).decode()}\n" for item in items)
    rejected = carried_out(replace(example, shown={SOURCE: source})).rejected

    # Those that the seed makes invalid; an example may take some of them.
    assert len(rejected) <= 5


@pytest.mark.parametrize("example", [pytest.param(each, id=each.heading) for each in TESTS])
def test_the_tests_shown_pass(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformation", SimpleNamespace(**defined(EXAMPLES[0])))
    names: dict[str, Any] = {}
    exec(example.code, names)  # noqa: S102 - the page's own example
    tests = [each for name, each in names.items() if name.startswith("test_")]
    for test in tests:
        test()

    assert tests


def test_every_block_of_the_page_is_run() -> None:
    labels = {label for example in EXAMPLES for label in example.shown}

    assert len(list(BLOCK.finditer(PAGE))) == PAGE.count("\n```") // 2
    assert labels == {SOURCE, DESTINATION, QUARANTINE, REASONS, AGGREGATES}
    assert all(SOURCE in example.shown for example in TRANSFORMATIONS)
    assert not any(example.shown for example in TESTS)


ROWS = [
    [cell.strip().replace("\x00", "|") for cell in row.replace("\\|", "\x00").strip("|").split("|")]
    for row in PAGE[PAGE.index("| In the contract |") :].split("\n\n")[0].splitlines()[2:]
]
TYPES = [
    (hint.strip("`"), value, taken)
    for hint, takes, refuses, _ in ROWS
    for cell, taken in ((takes, True), (refuses, False))
    for value in re.findall(r"`([^`]+)`", cell)
]


@pytest.mark.parametrize(("hint", "value", "taken"), TYPES)
def test_a_contracts_type_takes_and_refuses_as_its_row_says(hint: str, value: str, taken: bool) -> None:
    names = defined(EXAMPLES[0])
    exec(f"class Contract(TypedDict):\n    a: {hint}", names)  # noqa: S102 - the page's own table
    (breach,) = Checker(names["Contract"]).check([{"a": eval(value, names)}])  # noqa: S307 - the page's own table

    assert (breach is None) is taken


@pytest.mark.parametrize(
    "words",
    [
        f"| levels of maps and lists | {MAX_DEPTH} |",
        f"an aggregate | {MAX_GROUPS:,} |",
        f"together | {MOST_BYTES // 1024**2} MB of memory |",
        f"| text of a group | {LONGEST_GROUP:,} characters |",
        f"with what is None | {MOST_LINE_BYTES // 1024**2} MB |",
        f"| results of one record | {MOST_RESULTS_BYTES // 1024**2} MB,",
    ],
)
def test_the_limits_are_those_of_the_code(words: str) -> None:
    assert words in PAGE


def test_links_within_the_page_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_links_to_files_lead_to_files() -> None:
    for path in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / path).resolve().is_file()
