"""The AWS clients of the command, in memory: their answers come from recorded executions."""
# ruff: noqa: N803 - the names of arguments are those of AWS

from __future__ import annotations

import io
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from botocore.response import StreamingBody

from etl_cli.aws.deployment import Deployment
from tests.fakes.aws import RefusalError
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.pipeline import ENVIRONMENT

RECORDED = Path(__file__).parent / "recorded"
Item = dict[str, Any]


class _NoSuchKeyError(Exception):
    pass


class _ResourceNotFoundError(Exception):
    pass


class _Exceptions:
    NoSuchKey = _NoSuchKeyError
    ResourceNotFoundException = _ResourceNotFoundError


class _Paginator:
    def __init__(self, pages: Callable[..., Iterator[dict[str, Any]]]) -> None:
        self._pages = pages

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        return self._pages(**request)


class RecordedBucket:
    """A bucket; objects by key."""

    exceptions = _Exceptions

    def __init__(self, objects: dict[str, str]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket
        if Key not in self.objects:
            raise _NoSuchKeyError
        body = self.objects[Key].encode()
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    def get_paginator(self, name: str) -> _Paginator:
        assert name == "list_objects_v2"
        return _Paginator(self._pages)

    def _pages(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        assert Bucket
        found = [{"Key": key, "Size": len(self.objects[key])} for key in sorted(self.objects) if key.startswith(Prefix)]
        yield {"Contents": found} if found else {}


def answer_of(bucket: RecordedBucket, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
    """The answer of a bucket to GetObject, as S3 gives it."""
    if Key not in bucket.objects:
        raise RefusalError("NoSuchKey")
    return bucket.get_object(Bucket=Bucket, Key=Key)


class RecordedTables:
    """Tables; items by table.

    Attributes:
        unprocessed: for each of the next BatchWriteItems, how many of its items it leaves undone.
        writes: how many BatchWriteItems there were.
    """

    exceptions = _Exceptions
    meta = SimpleNamespace(endpoint_url="http://127.0.0.1:4566")

    def __init__(self, tables: dict[str, list[Item]]) -> None:
        self.tables = tables
        self.unprocessed: list[int] = []
        self.writes = 0

    def get_item(self, *, TableName: str, Key: Item) -> dict[str, Any]:
        found = [item for item in self.tables[TableName] if Key.items() <= item.items()]
        return {"Item": found[0]} if found else {}

    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        if TableName not in self.tables:
            raise _ResourceNotFoundError
        return {"Table": specified("source" in TableName) | {"ItemCount": len(self.tables[TableName])}}

    def batch_write_item(self, *, RequestItems: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        self.writes += 1
        ((table, requests),) = RequestItems.items()
        assert 1 <= len(requests) <= 25
        left = self.unprocessed.pop(0) if self.unprocessed else 0
        done = requests[: len(requests) - left]
        self.tables[table] += [request["PutRequest"]["Item"] for request in done]
        return {"UnprocessedItems": {table: requests[len(done) :]} if left else {}}

    def get_paginator(self, name: str) -> _Paginator:
        assert name == "scan"
        return _Paginator(self._pages)

    def _pages(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["ConsistentRead"]
        aliases = request["ExpressionAttributeNames"]
        names = [aliases[alias] for alias in request["ProjectionExpression"].split(", ")]
        for item in self.tables[request["TableName"]]:  # a page each
            yield {"Items": [{name: item[name] for name in names if name in item}]}


def specified(is_source: bool) -> dict[str, Any]:
    """The description of one of the specification's tables."""
    table: dict[str, Any] = FakeDynamoDB().describe_table(TableName="source" if is_source else "destination")["Table"]
    return table


class RecordedExecution:
    """One execution, whose history appears a few events at a time.

    Attributes:
        shown: how many events there are to see.
        step: how many more there are at each look.
        started: name and input of the executions that were started; each is the one execution.
        stopped: the executions that were stopped.
        map_runs: how many segments the Map Run of a Distributed Map has done, by the Map's name.
    """

    def __init__(self, description: dict[str, Any], events: list[dict[str, Any]], step: int) -> None:
        self._description = description
        self._events = events
        self.shown = 0
        self.step = step
        self.started: list[tuple[str, Any]] = []
        self.stopped: list[str] = []
        self.map_runs: dict[str, int] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002
        assert stateMachineArn
        self.started.append((name, json.loads(input)))
        return {"executionArn": self._description["executionArn"]}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        assert executionArn == self._description["executionArn"]
        self.shown += self.step
        return self._description if self.shown >= len(self._events) else {"status": "RUNNING"}

    def list_map_runs(self, *, executionArn: str) -> dict[str, Any]:
        assert executionArn == self._description["executionArn"]
        prefix = "arn:aws:states:us-east-1:000000000000:mapRun:etl-pipeline"
        return {"mapRuns": [{"mapRunArn": f"{prefix}/{name}:0123"} for name in self.map_runs]}

    def describe_map_run(self, *, mapRunArn: str) -> dict[str, Any]:
        return {"itemCounts": {"succeeded": self.map_runs[mapRunArn.split(":")[-2].partition("/")[2]]}}

    def stop_execution(self, *, executionArn: str, cause: str) -> None:
        assert cause
        self.stopped.append(executionArn)

    def get_paginator(self, name: str) -> _Paginator:
        assert name == "get_execution_history"
        return _Paginator(self._pages)

    def _pages(self, *, executionArn: str, reverseOrder: bool, PaginationConfig: Any) -> Iterator[dict[str, Any]]:
        assert executionArn
        assert reverseOrder
        assert PaginationConfig
        for event in reversed(self._events[: self.shown]):  # a page each
            yield {"events": [event]}


class Recording:
    """A recorded execution, and the pipeline in memory that it ran in."""

    def __init__(self, name: str, step: int = 1) -> None:
        recorded = json.loads((RECORDED / f"{name}.json").read_text(), object_hook=_restored)
        self.execution: str = recorded["description"]["executionArn"]
        self.events: list[dict[str, Any]] = recorded["events"]
        self.description: dict[str, Any] = recorded["description"]
        names = recorded["pipeline"]
        read = _extracted(self.description, recorded["tables"].get(names["source_table"], []))
        self.s3 = RecordedBucket(read | recorded["objects"])
        empty: dict[str, list[Item]] = {names["source_table"]: [], names["destination_table"]: []}
        self.dynamodb = RecordedTables(empty | recorded["tables"])
        self.function: dict[str, Any] = {"Environment": {"Variables": ENVIRONMENT}}
        self.stepfunctions = RecordedExecution(self.description, self.events, step)
        self.deployment = Deployment(
            **names,
            s3=cast(Any, self.s3),
            dynamodb=cast(Any, self.dynamodb),
            stepfunctions=cast(Any, self.stepfunctions),
            client=self._client,
        )

    def _client(self, service: str, **_: Any) -> Any:
        if service == "lambda":
            return SimpleNamespace(
                get_function_configuration=lambda FunctionName: {"FunctionName": FunctionName} | self.function
            )
        return getattr(self, service)


def _extracted(description: dict[str, Any], source: list[Item]) -> dict[str, str]:
    """The output of Extract in one object: the items of the recorded source table."""
    key = json.loads(description.get("output") or "{}").get("keys", {}).get("extract")
    lines = [json.dumps(item, default=lambda content: b64encode(content).decode()) for item in source]
    return {key: "[\n" + ",\n".join(lines) + "\n]\n"} if key else {}


def _restored(document: dict[str, Any]) -> Any:
    if document.keys() == {"base64"}:
        return b64decode(document["base64"])
    for name in ("timestamp", "startDate", "stopDate"):
        if isinstance(document.get(name), str) and ("id" not in document or isinstance(document["id"], int)):
            document[name] = datetime.fromisoformat(document[name])
    return document
