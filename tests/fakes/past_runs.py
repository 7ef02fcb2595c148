"""Runs of the past, in memory: made by the functions' own code, and looked at by the command."""
# ruff: noqa: N803 - the names of arguments are those of AWS

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from etl.model.keys import KeyAttributes
from etl.model.names import ETL
from etl.model.schema import SPECIFIED
from etl_cli.aws import deployment
from etl_cli.items.transformation_file import load
from etl_cli.runs.item_changes import same
from etl_cli.runs.ledger import LedgerEntry, find_run, read_ledger
from etl_cli.terminal.paths import ROOT
from tests.fakes.dynamodb import FakeDynamoDB, Item
from tests.fakes.pipeline import ENVIRONMENT, FakePipeline
from tests.fakes.recording import RecordedBucket
from tests.support import PIPELINE
from tests.unit.builders import END, START, item

# Runs start at 02:00: one that says that it is running can be.
NOW = datetime(2024, 1, 16, 2, 30, tzinfo=UTC)
SHIPPED = (ROOT / PIPELINE / "transformation.py").read_text()
WINDOW = {"start": START, "end": END}
LENIENT = {"REJECT_THRESHOLD_PERCENT": "100"}


def edited(path: Path, *edits: tuple[str, str]) -> Path:
    """Write the shipped transformation to a file, with some of its text replaced."""
    text = SHIPPED
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    return path


def items(count: int = 60) -> list[Item]:
    """Items of the window; each tenth breaks the contract, and each is another."""
    return [
        item(number, value="-1" if number % 10 == 9 else f"{number}.50", barcode={"B": "AAE="}, note={"NULL": True})
        for number in range(count)
    ]


class PastRuns:
    """A pipeline that runs in memory, and the command's view of it.

    Attributes:
        runs: the functions' side.
        deployment: the command's side.
    """

    def __init__(
        self,
        found: list[Item],
        file: Path,
        *,
        segments: int = 1,
        source: KeyAttributes = SPECIFIED.source,
        destination: KeyAttributes = SPECIFIED.destination,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.runs = FakePipeline(found, segments=segments, page_items=7)
        self.runs.dynamodb.keys |= {"source": source, "destination": destination}
        self._settings = (settings or {}) | {
            "DESTINATION_KEYS": ",".join(f"{each.name}:{each.type}" for each in destination)
        }
        self.runs.dynamodb.raw = False
        self._file = file
        self._s3 = RecordedBucket({})
        client = cast(Any, _DynamoDB(self.runs.dynamodb, ENVIRONMENT | self._settings))
        self.deployment = deployment.Deployment(
            "source",
            "destination",
            "staging",
            "machine",
            client,
            cast(Any, self._s3),
            cast(Any, None),
            lambda _, **__: client,
        )

    @property
    def objects(self) -> dict[str, str]:
        """The staged objects, as the command sees them."""
        return self._s3.objects

    @property
    def entries(self) -> list[LedgerEntry]:
        """The ledger's, the latest first."""
        return read_ledger(self.deployment.dynamodb, self.deployment.names, NOW)[0]

    @property
    def entry(self) -> LedgerEntry:
        """The latest of them."""
        return find_run(self.entries, "latest")

    def run(
        self, given: Mapping[str, Any] = WINDOW, *, number: int = 1, environment: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Run it with the file as it is now; its output.

        Args:
            given: the execution's input.
            number: of the execution, which starts an hour later for each.
            environment: settings of the functions.
        """
        execution = {
            "id": f"arn:aws:states:execution:{number}",
            "name": str(number),
            "started_at": f"2024-01-16T{number + 1:02}:00:00.123Z",
        }
        try:
            with self.runs.deployed(LENIENT | self._settings | (environment or {}), load(self._file, 10)):
                return self.runs.run(given, execution)
        finally:
            self._s3.objects.update({key: body.decode() for key, body in self.runs.s3.objects.items()})

    def fail(self, stage: str, error: str = "SomeError") -> None:
        """Let the latest run have failed in a stage, in the ledger."""
        entry = self.entry
        self.runs.dynamodb.ledger.items["run", entry.name] |= {
            "status": {"S": "FAILED"},
            "stage": {"S": stage},
            "error": {"S": error},
        }


class _DynamoDB:
    """The tables that the functions work on, as a client."""

    class exceptions:  # noqa: N801 - boto3's name
        class ResourceNotFoundException(Exception):  # noqa: N818 - boto3's name
            pass

    def __init__(self, tables: FakeDynamoDB, environment: dict[str, str]) -> None:
        self._tables = tables
        self.scan, self.describe_table = tables.scan, tables.describe_table
        self.environment = environment
        another_protocol = SimpleNamespace(resolved_protocol="cbor", metadata={})  # answers are parsed
        events = SimpleNamespace(register=lambda *_: None)
        self.meta = SimpleNamespace(events=events, service_model=another_protocol, endpoint_url="https://aws.example")

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead
        if TableName == ETL.ledger_table:
            return self._tables.ledger.get_item(TableName="ledger", Key=Key, ConsistentRead=True)
        found = [each for each in self._tables.tables[TableName] if _has(each, Key)]
        return {"Item": found[0]} if found else {}

    def query(self, *, TableName: str, ExpressionAttributeValues: Item, **request: Any) -> dict[str, Any]:
        names, parts = request["ExpressionAttributeNames"], request["KeyConditionExpression"].split(" AND ")
        wanted = {names[name]: ExpressionAttributeValues[value] for name, _, value in map(str.split, parts)}
        assert len(names) == len(ExpressionAttributeValues) == len(wanted)
        found = [each for each in self._tables.tables[TableName] if _has(each, wanted)]
        found.sort(key=json.dumps, reverse=not request["ScanIndexForward"])
        return {"Items": found[: request["Limit"]]}

    def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:
        return {"FunctionName": FunctionName, "Environment": {"Variables": self.environment}}

    def get_paginator(self, name: str) -> _DynamoDB:
        assert name == "query"
        return self

    def paginate(self, *, TableName: str, **_: Any) -> Iterator[dict[str, Any]]:
        assert TableName == ETL.ledger_table
        ledger = self._tables.ledger.items
        yield {"Items": [entry for (kind, _), entry in ledger.items() if kind == "run"]}


def _has(item: Item, values: dict[str, Any]) -> bool:
    """Whether an item has these values, in which binary ones are bytes, as in a request."""
    wired = {
        name: {kind: b64encode(content).decode() if kind == "B" else content}
        for name, value in values.items()
        for kind, content in value.items()
    }
    return all(name in item and same(item[name], value) for name, value in wired.items())
