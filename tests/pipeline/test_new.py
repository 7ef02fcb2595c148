"""`etl new` over ten tables: the written pipelines pass their checks, and the three commands that come next work."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etl_cli.app import app
from etl_cli.local.environment import LocalEnvironment
from tests.proposals import failed_tests, lint, type_errors
from tests.support import PIPELINE, ROOT

# Every text of an item has this word, every number of an item these digits, and every time this second or day.
WORD, DIGITS = "canary", "77345"
EPOCH, DAY = 1_615_112_345, "2021-03-07"
Item = dict[str, Any]
TIMES: dict[str, Any] = {
    "iso": {"S": f"{DAY}T10:19:05Z"},
    "iso_offset": {"S": f"{DAY}T11:19:05+01:00"},
    "iso_local": {"S": f"{DAY}T10:19:05"},
    "date": {"S": DAY},
    "epoch_s": {"N": f"{EPOCH}"},
    "epoch_ms": {"N": f"{EPOCH}123"},
    "epoch_us": {"N": f"{EPOCH}123456"},
    "epoch_ns": {"N": f"{EPOCH}123456789"},
}
LARGE = 399_000


@dataclass(frozen=True)
class Table:
    """A table: its key, the format of its times, and its items."""

    key: tuple[str, ...]
    form: str
    count: int = 12
    options: tuple[str, ...] = ()
    more: Callable[[int], Item] = lambda _: {}

    def items(self) -> list[Item]:
        return [self._item(number) for number in range(self.count)]

    def _item(self, number: int) -> Item:
        names = ("pk", "sk")[: len(self.key)]
        key = {name: value(kind, number) for name, kind in zip(names, self.key, strict=True)}
        time = {"changedAt": TIMES[self.form]} if self.form != "none" else {}
        return key | time | self.more(number)


def value(kind: str, number: int) -> Any:
    text = f"{WORD}-{number:03d}"
    return {kind: {"S": text, "N": f"{DIGITS}{number:03d}", "B": text.encode()}[kind]}


def mixed(number: int) -> Item:
    kinds = [
        {"N": f"{DIGITS}.5"},
        {"S": f"{WORD} {number}"},
        {"NULL": True},
        {"L": [{"S": WORD}, {"N": DIGITS}]},
    ]
    return {"mixed": kinds[number % 4], **({"note": {"S": WORD}} if number % 3 else {})}


def nested(number: int) -> Item:
    inner: Item = {"street": {"S": f"{WORD} {number}"}, "codes": {"NS": [DIGITS, f"{DIGITS}1"]}}
    lines: Item = {"L": [{"M": {"sku": {"S": WORD}, **({"count": {"N": DIGITS}} if number % 2 else {})}}]}
    return {"address": {"M": {**inner, "geo": {"M": {"lat": {"N": f"{DIGITS}.25"}}}}}, "lines": lines}


def typed(number: int) -> Item:
    kind = ("ORDER", "CUSTOMER", "PRODUCT")[number % 3]
    own: dict[str, Item] = {
        "ORDER": {"total": {"N": DIGITS}},
        "CUSTOMER": {"email": {"S": f"{WORD}{number}@example.com"}, "active": {"BOOL": True}},
        "PRODUCT": {"tags": {"SS": [WORD]}, "class": {"S": WORD}},
    }
    return {"sk": {"S": f"{kind}#{WORD}{number}"}, **own[kind]}


TABLES = {
    "plain": Table(("S",), "iso", more=lambda number: {"value": {"N": f"{DIGITS}{number}"}}),
    "numbers": Table(("N",), "iso_offset", more=mixed),
    "binary": Table(("B",), "iso_local", more=lambda _: {"picture": {"B": WORD.encode()}}),
    "types": Table(("S", "S"), "date", 30, ("--all",), typed),
    "one-type": Table(("S", "S"), "epoch_s", 30, ("--entity", "CUSTOMER"), typed),
    "mixed": Table(("S", "B"), "epoch_ms", 40, (), mixed),
    "nested": Table(("N", "S"), "epoch_us", more=nested),
    "large": Table(("N", "N"), "epoch_ns", 8, more=lambda _: {"text": {"S": WORD + "x" * LARGE}}),
    "empty": Table(("B", "N"), "none", 0),
    "one-item": Table(("B", "S"), "none", 1, more=nested),
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The pipelines' folder, which must be in the checkout; the specification's pipeline is there, as in each app."""
    made = ROOT / ".build" / "new-pipelines"
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(ROOT / PIPELINE, made / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def shell(
    folder: Path, make_environment: Callable[[], LocalEnvironment], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalEnvironment]:
    """A shell whose AWS variables point to an environment with the tables."""
    environment = make_environment()
    environment.start()
    home = tmp_path_factory.mktemp("home")
    (home / ".cache").symlink_to(Path("~/.cache").expanduser())
    context = {"etl:pipelines": str(folder.relative_to(ROOT))}
    (home / ".cdk.json").write_text(json.dumps({"context": context}))
    for name, table in TABLES.items():
        make(environment, f"{name}-source", table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("ETL_LOCAL_DIR", str(environment.state_dir))
        for variable, text in environment.variables().items():
            patch.setenv(variable, text)
        yield environment


def make(environment: LocalEnvironment, name: str, table: Table) -> None:
    dynamodb: Any = environment.clients().dynamodb
    names = list(zip(("pk", "sk"), table.key, strict=False))
    dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": each, "KeyType": kind} for (each, _), kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, kind in names],
        BillingMode="PAY_PER_REQUEST",
    )
    for item in table.items():
        dynamodb.put_item(TableName=name, Item=item)


@pytest.fixture(scope="module")
def documents(shell: LocalEnvironment) -> dict[str, Any]:  # noqa: ARG001 - the commands find it by its variables
    """The proposals, by the pipelines' names."""
    made = {}
    for name, table in TABLES.items():
        made[name] = etl("new", name, "--source", f"{name}-source", "--json", *table.options)
    return made


def etl(*words: str) -> Any:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if "--json" in words else done.stdout


@pytest.mark.parametrize("name", TABLES)
def test_the_cursor_is_found(documents: dict[str, Any], name: str) -> None:
    form = TABLES[name].form

    assert documents[name]["cursor"]["format"] == form
    assert documents[name]["cursor"]["attribute"] == (None if form == "none" else "changedAt")


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize("name", TABLES)
def test_the_files_pass_their_checks(folder: Path, name: str) -> None:
    assert lint(folder / name) == ""
    assert type_errors(folder / name) == ""
    assert failed_tests(folder / name) == ""


@pytest.mark.parametrize("name", TABLES)
def test_no_value_of_an_item_is_in_a_file(documents: dict[str, Any], folder: Path, name: str) -> None:
    files = [ROOT / file for file in documents[name]["files"]]
    text = "".join(file.read_text() for file in files)

    assert {file.parent for file in files} == {folder / name}
    for canary in (WORD, DIGITS, str(EPOCH), DAY, base64.b64encode(WORD.encode()).decode()):
        assert canary not in text


def test_a_preview_rejects_none_before_the_deployment(documents: dict[str, Any]) -> None:
    for name, table in TABLES.items():
        if table.count:
            preview = shlex.split(documents[name]["next"][0])
            counts = etl(*preview[1:], "--sample", "1000", "--json")["counts"]
            assert counts["rejected"] == 0
            assert counts["records"] == len(expected(name))


@pytest.mark.timeout(900)
def test_a_run_loads_them_all(documents: dict[str, Any], shell: LocalEnvironment) -> None:
    etl("local", "deploy")
    for name in TABLES:
        run = shlex.split(documents[name]["next"][2])
        counts = etl(*run[1:], "--json")["counts"]

        assert counts.get("loaded", 0) == counts.get("read", 0) == len(expected(name))
        pages = shell.clients().dynamodb.get_paginator("scan").paginate(TableName=f"{name}-destination-data")
        found = [canonical({**item}) for page in pages for item in page["Items"]]
        assert sorted(found) == sorted(map(canonical, expected(name)))


def expected(name: str) -> list[Item]:
    """The items that the pipeline loads."""
    items = TABLES[name].items()
    return [item for item in items if item["sk"]["S"].startswith("CUSTOMER#")] if name == "one-type" else items


def canonical(item: Item) -> str:
    """An item as text; the destination has no NULL."""
    return json.dumps({name: each for name, each in item.items() if "NULL" not in each}, sort_keys=True, default=repr)


@pytest.mark.parametrize("missing", ["", "dynamodb:DescribeTable", "dynamodb:Scan"])
def test_two_permissions_suffice_and_a_missing_one_is_named(
    make_environment: Callable[[], LocalEnvironment], folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    environment = make_environment()
    environment.start(strict=True)
    make(environment, "orders", TABLES["plain"])
    iam = environment.clients().iam
    iam.create_user(UserName="reader")
    actions = [each for each in ("dynamodb:DescribeTable", "dynamodb:Scan") if each != missing]
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
    statement = {"Effect": "Allow", "Action": actions, "Resource": table}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    for variable, text in environment.variables().items():
        monkeypatch.setenv(variable, text)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    context = ("-c", f"etl:pipelines={folder.relative_to(ROOT)}")
    done = CliRunner().invoke(app, ["new", "reader", "--source", "orders", *context])

    assert done.exit_code == bool(missing), done.output
    assert (folder / "reader").is_dir() != bool(missing)
    assert f"The permission {missing} on the table orders is missing." in str(done.exception) or not missing
    shutil.rmtree(folder / "reader", ignore_errors=True)
