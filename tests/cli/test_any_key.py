"""The command over a table with any key and any change time: runs by the functions' own code."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from etl.model.keys import KeyAttribute, KeyAttributes
from etl_cli.app import app
from etl_cli.aws.deployed_schema import deployed_schema, require_specified
from etl_cli.aws.deployment import Deployment
from etl_cli.items import local_transformation
from etl_cli.items.explanation import Explanation, explain_item
from etl_cli.items.explanation_verdict import Verdict, judge
from etl_cli.items.item_key import parse_key
from etl_cli.items.quarantine import records_of
from etl_cli.runs.ledger import read_ledger
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from tests.fakes.past_runs import NOW as READ
from tests.fakes.past_runs import PastRuns

NOW = datetime(2024, 1, 16, 12, tzinfo=UTC)
RUN = "20240116T020000123Z"
CODE = """
from typing import TypedDict


class Contract(TypedDict):
    value: int


def transform(record, run):
    return {"id": f"record-{record['value']}"} | record | {"timestamp": run.end}
"""


class Case(NamedTuple):
    key: KeyAttributes
    keys: list[list[str]]  # of three items, as they are typed
    time: str
    form: str
    times: list[Any]  # in the window of the run, after it, and none
    zone: str = "UTC"


CASES = {
    "text and text": Case(
        (KeyAttribute("pk"), KeyAttribute("sk")),
        [["customer 1", "order#1"], ["pk=customer 1", "sk=order#2"], ["pk=-", "sk=a=b"]],
        "updatedAt",
        "iso_offset",
        [{"S": "2024-01-15T23:30:00.123456+00:00"}, {"S": "2024-01-16T02:30+01:00"}, {"S": "soon"}],
    ),
    "text and number": Case(
        (KeyAttribute("pk"), KeyAttribute("sk", "N")),
        [["customer-1", "1.50"], ["customer-1", "1E+2"], ["customer-1", "-3"]],
        "audit.updated",
        "epoch_ms",
        [{"N": "1705312800123"}, {"S": "1705363200000"}, {"BOOL": True}],
    ),
    "number": Case(
        (KeyAttribute("size", "N"),),
        [["12345678901234567890"], ["2.0"], ["0"]],
        "status",
        "epoch_s",
        [{"N": "1705312800.5"}, {"N": "1705363200"}, {"N": "1e30"}],
    ),
    "binary": Case(
        (KeyAttribute("b", "B"),),
        [["AAE="], ["AAI="], ["AAM="]],
        "day",
        "date",
        [{"S": "2024-01-15"}, {"S": "2024-01-16"}, {"S": "15.01.2024"}],
    ),
    "hostile names": Case(
        (KeyAttribute("#a.b=c"), KeyAttribute('say "x"')),
        [["1", "2"], ["2", "2"], ["3", "2"]],
        r"with\.dot",
        "iso_local",
        [{"S": "2024-01-15T10:00:00"}, {"S": "2024-01-16 01:00"}, None],
        "Europe/Berlin",
    ),
}


def nested(path: str, value: Any) -> dict[str, Any]:
    names = [name.replace("\\.", ".") for name in re.split(r"(?<!\\)\.", path)]
    if value is None:
        return {}
    for name in reversed(names[1:]):
        value = {"M": {name: value}}
    return {names[0]: value}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def past(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PastRuns:
    """A run over an item that is loaded, one of a later window, and one that has no time."""
    file = tmp_path / "transformation.py"
    file.write_text(CODE)
    items = [
        parse_key(case.key, words, "source").wire | nested(case.time, time) | {"value": {"N": str(number)}}
        for number, (words, time) in enumerate(zip(case.keys, case.times, strict=True))
    ]
    settings = {"SOURCE_CURSOR": case.time, "SOURCE_CURSOR_FORMAT": case.form, "SOURCE_CURSOR_ZONE": case.zone}
    made = PastRuns(items, file, source=case.key, settings=settings)
    made.run()
    monkeypatch.setattr(Deployment, "find", lambda *_: made.deployment)
    monkeypatch.setattr(local_transformation, "transformation_path", lambda *_: file)
    return made


def explained(past: PastRuns, words: list[str]) -> tuple[Explanation, Verdict]:
    schema = deployed_schema(past.deployment)
    ledger = read_ledger(past.deployment.dynamodb, past.deployment.names, READ)
    key = parse_key(schema.source, words, "source")
    found = explain_item(past.deployment, key, schema, ledger, now=NOW, most_runs=5)
    return found, judge(found, EtlLines(program="etl"))


def etl(*words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--region", "eu-west-1"])


def test_the_schema_is_that_of_the_deployed_pipeline(case: Case, past: PastRuns) -> None:
    schema = deployed_schema(past.deployment)

    assert (schema.source, schema.time.text, schema.time.format) == (case.key, case.time, case.form)
    with pytest.raises(UserError, match="key and the change time of source"):
        require_specified(schema, "source")


def test_an_item_of_the_window_is_loaded(case: Case, past: PastRuns) -> None:
    found, said = explained(past, case.keys[0])

    assert said.outcome == "loaded", said
    assert [(each.entry.run, each.state) for each in found.runs] == [(RUN, "read")]


def test_an_item_after_the_window_was_not_read(case: Case, past: PastRuns) -> None:
    found, said = explained(past, case.keys[1])

    assert said.outcome == "not read", said
    assert case.time in said.says
    assert [each.state for each in found.runs] in ([], ["not read"])
    assert [line.split()[1] for line in said.lines] == ["run"]


def test_an_item_without_a_time_is_in_quarantine(case: Case, past: PastRuns) -> None:
    found, said = explained(past, case.keys[2])
    (record,) = records_of(past.deployment, RUN)

    assert said.outcome == "quarantined", said
    assert case.time in said.advice
    assert record.key == found.key
    assert record.rejection.key == found.key.document()


def test_the_window_that_is_advised_reads_the_item(case: Case, past: PastRuns) -> None:
    words = explained(past, case.keys[1])[1].lines[0].split()
    past.run({"start": words[3], "end": words[5]}, number=2)

    assert explained(past, case.keys[1])[1].outcome == "loaded"


@pytest.mark.usefixtures("past")
def test_the_command_takes_and_shows_the_key(case: Case) -> None:
    loaded, aside = (parse_key(case.key, case.keys[number], "source") for number in (0, 2))
    document = json.loads(etl("explain", *loaded.options, "--json").stdout)

    assert (document["outcome"], document["id"], document["key"]) == ("loaded", loaded.text, loaded.document())
    assert etl("explain", *loaded.options).stdout.startswith(loaded.text)
    listed = json.loads(etl("quarantine", "show", RUN, f"--id={aside.text}", "--json").stdout)
    assert [record["key"] for record in listed["records"]] == [aside.document()]
    assert aside.text in etl("quarantine", "show", RUN).stdout
    assert json.loads(etl("quarantine", "show", RUN, f"--id={loaded.text}", "--json").stdout)["records"] == []


@pytest.mark.usefixtures("past")
def test_a_preview_takes_the_key(case: Case) -> None:
    keys = [parse_key(case.key, words, "source") for words in case.keys]
    done = etl("preview", *(f"--id={key.text}" for key in keys), "--json")

    outcomes = [(each["key"], each["outcome"]) for each in json.loads(done.stdout)["items"]]
    assert outcomes == [
        (key.document(), fate) for key, fate in zip(keys, ["transformed"] * 2 + ["untimed"], strict=True)
    ]
    assert keys[0].text in etl("preview", f"--id={keys[0].text}").stdout


@pytest.mark.usefixtures("past")
def test_a_preview_of_the_run_finds_no_difference() -> None:
    document = json.loads(etl("preview", "--run", RUN, "--json").stdout)

    assert (document["differences"]["unchanged"], document["differences"]["gone"]["count"]) == (1, 0)
    assert document["counts"]["untimed"] == 1


@pytest.mark.usefixtures("past")
def test_a_sample_of_a_window_has_its_items_alone() -> None:
    document = json.loads(etl("preview", "--start", "2024-01-15", "--end", "2024-01-16", "--json").stdout)

    assert [each["outcome"] for each in document["items"]].count("transformed") == 1
    assert document["counts"]["items"] == 2


def test_a_corrected_item_is_replayed(case: Case, past: PastRuns) -> None:
    past.runs.dynamodb.tables["source"][2] |= nested(case.time, case.times[0])
    past.run({"replay": RUN}, number=2)

    assert explained(past, case.keys[2])[1].outcome == "loaded"


@pytest.mark.usefixtures("past")
def test_a_wrong_key_is_explained() -> None:
    done = etl("explain", "a", "b", "c")

    assert done.exit_code == 1
    assert isinstance(done.exception, UserError)
    assert "Type " in done.exception.remedy


@pytest.fixture
def untimed(tmp_path: Path) -> PastRuns:
    """A pipeline over a table without a change time, after a run."""
    file = tmp_path / "transformation.py"
    file.write_text(CODE)
    made = PastRuns([{"id": {"S": "a"}, "value": {"N": "1"}}], file, settings={"SOURCE_CURSOR_FORMAT": "none"})
    made.run()
    return made


def test_without_a_change_time_each_run_reads_each_item(untimed: PastRuns) -> None:
    untimed.runs.dynamodb.tables["source"].append({"id": {"S": "b"}, "value": {"N": "2"}})

    assert explained(untimed, ["a"])[1].outcome == "loaded"
    said = explained(untimed, ["b"])[1]
    assert (said.outcome, said.lines) == ("not read", ["etl run"])
    assert "reads the whole table" in said.says


def test_an_item_that_has_changed_since_is_read_by_the_next_run(untimed: PastRuns) -> None:
    untimed.runs.dynamodb.tables["source"][0]["value"] = {"N": "7"}
    said = explained(untimed, ["a"])[1]

    assert (said.outcome, said.lines) == ("changed", ["etl run"])


@pytest.mark.parametrize(("missing", "outcome"), [("include", "loaded"), ("exclude", "excluded")])
def test_an_item_without_a_time_as_the_settings_have_it(tmp_path: Path, missing: str, outcome: str) -> None:
    file = tmp_path / "transformation.py"
    file.write_text(CODE)
    items = [{"id": {"S": "a"}, "value": {"N": "1"}}]
    past = PastRuns(items, file, settings={"SOURCE_CURSOR_MISSING": missing})
    past.run()
    found, said = explained(past, ["a"])

    assert said.outcome == outcome, said
    assert found.untimed


def test_an_item_without_a_time_that_no_run_has_read(tmp_path: Path) -> None:
    file = tmp_path / "transformation.py"
    file.write_text(CODE)
    past = PastRuns([], file, settings={"SOURCE_CURSOR_MISSING": "include"})
    past.run()
    past.runs.dynamodb.tables["source"].append({"id": {"S": "a"}, "value": {"N": "1"}})

    assert "every run reads it, and loads it" in explained(past, ["a"])[1].advice


def test_a_run_over_tables_with_other_keys_is_not_searched(untimed: PastRuns) -> None:
    untimed.runs.dynamodb.keys["source"] = (KeyAttribute("value", "N"),)
    found, said = explained(untimed, ["1"])

    assert [each.state for each in found.runs] == ["other keys"]
    assert "other keys" in said.says


BY_CUSTOMER = (KeyAttribute("customer"), KeyAttribute("total", "N"))
CUSTOMERS = CODE.replace(
    '| {"timestamp": run.end}', '| {"customer": f"c-{record[\'value\']}", "total": record["value"]}'
)


@pytest.fixture
def customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PastRuns:
    """A pipeline into a table by customer and total, after a run; the file then makes other totals and text."""
    file = tmp_path / "transformation.py"
    file.write_text(CUSTOMERS)
    timed = {"timestamp": {"S": "2024-01-15T10:00:00Z"}}
    items = [{"id": {"S": f"item-{number}"}, "value": {"N": str(number)}} | timed for number in range(4)]
    kept = {"expression": "#value < :most", "names": {"#value": "value"}, "values": {":most": 3}}
    settings = {"SOURCE_FILTER": json.dumps(kept)}
    made = PastRuns(items, file, destination=BY_CUSTOMER, settings=settings)
    made.run()
    monkeypatch.setattr(Deployment, "find", lambda *_: made.deployment)
    monkeypatch.setattr(local_transformation, "transformation_path", lambda *_: file)
    file.write_text(CUSTOMERS.replace('"total": record["value"]', '"total": 2 * record["value"], "new": 1'))
    return made


def test_records_with_a_number_in_their_key_are_compared(customers: PastRuns) -> None:
    found = json.loads(etl("preview", "--run", RUN, "--json").stdout)["differences"]

    assert (found["changed"], found["come"]["count"], found["gone"]["count"]) == (1, 2, 2)
    come = sorted(found["come"]["examples"], key=json.dumps)
    assert come == [{"customer": f"c-{n}", "total": {"N": str(2 * n)}} for n in (1, 2)]
    assert found["examples"][0]["key"] == {"customer": "c-0", "total": {"N": "0"}}
    assert "such as c-2 4, c-1 2" in " ".join(etl("preview", "--run", RUN).stdout.split())
    assert len(customers.runs.dynamodb.tables["destination"]) == 3


def test_records_under_another_key_are_found(customers: PastRuns) -> None:
    found, said = explained(customers, ["item-1"])

    assert said.outcome == "loaded", said
    assert [found.key_of(line).text for line in found.destination] == ["customer=c-1 total=1"]
    assert "customer c-1, total 1, as" in " ".join(etl("explain", "item-1").stdout.split())


def test_an_item_that_the_filter_leaves_out_was_not_read(customers: PastRuns) -> None:
    said = explained(customers, ["item-3"])[1]

    assert said.outcome == "not read"
    assert "source_filter" in said.says


@pytest.mark.usefixtures("customers")
def test_a_sample_has_the_items_of_the_filter() -> None:
    taken = json.loads(etl("preview", "--json").stdout)

    assert sorted(each["key"]["id"] for each in taken["items"]) == ["item-0", "item-1", "item-2"]
