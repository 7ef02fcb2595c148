"""The deployed pipeline, as its tests use it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any, TypeVar

from tests.etl_pipeline.sample import expected_loaded, expected_record
from tests.etl_pipeline.values import Canonical, Item, Key, canonical, compare, of_boto3
from tests.pipeline.execution import Execution, Window
from tests.pipeline.interposer import Behaviour
from tests.pipeline.processes import processes
from tests.support import Deployed

DEADLINE_SECONDS = 120.0
# Source: DynamoDB Developer Guide, "Quotas", Item size.
MOST_ITEM_BYTES = 400 * 1024
Found = TypeVar("Found")


def wait_for(what: str, look: Callable[[], Found | None], seconds: float = DEADLINE_SECONDS) -> Found:
    """Look until there is something, and give it."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.05)


class Pipeline:
    """The deployed pipeline; its items have ids that begin with `token`, and are removed by `clean_up`."""

    def __init__(self, deployed: Deployed, token: str) -> None:
        self.deployed = deployed
        self.clients = deployed.clients
        self.token = token
        self._items: list[Item] = []

    def item(self, name: str, timestamp: str, /, **attributes: dict[str, Any] | None) -> Item:
        """Make an item of the specification's shape; an attribute that is None is left out."""
        fixed: dict[str, dict[str, Any] | None] = {
            "id": {"S": f"{self.token}{name}"},
            "name": {"S": f"Test Item {name}"},
            "value": {"N": "100"},
            "timestamp": {"S": timestamp},
        }
        return {key: value for key, value in (fixed | attributes).items() if value is not None}

    def largest_item(self, name: str, timestamp: str) -> Item:
        """Make an item that the source table just takes: with its computed attributes the destination refuses it."""
        item = self.item(name, timestamp, text={"S": ""})
        size = sum(len(attribute) + len(next(iter(value.values()))) for attribute, value in item.items())
        return item | {"text": {"S": "x" * (MOST_ITEM_BYTES - size - 20)}}

    def put(self, items: Iterable[Item]) -> list[Item]:
        """Put items into the source table."""
        items = list(items)
        self._items += items
        self._write(self.deployed.source_table, [{"PutRequest": {"Item": item}} for item in items])
        return items

    def put_some_of_each(self, window: Window) -> None:
        """Put items into the source table of which Transform rejects one and Load another, below the quality gate."""
        self.put(self.item(f"{n}", window.at(n)) for n in range(40))
        self.put([self.item("negative", window.at(1), value={"N": "-1"})])
        self.put([self.largest_item("large", window.at(1))])

    def source_count(self) -> int:
        """The number of items in the source table, other tests' included."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(
            TableName=self.deployed.source_table, Select="COUNT", ConsistentRead=True
        )
        return sum(page["Count"] for page in pages)

    def clean_up(self) -> None:
        """Remove the items from both tables."""
        ids = {item["id"]["S"] for item in self._items}
        sources = [{"DeleteRequest": {"Key": {"id": {"S": each}}}} for each in ids]
        self._write(self.deployed.source_table, sources)
        keys = ({name: item[name] for name in ("id", "timestamp")} for item in self._scan(self.token))
        self._write(self.deployed.destination_table, [{"DeleteRequest": {"Key": key}} for key in keys])

    def _write(self, table: str, requests: Sequence[Any]) -> None:
        for batch in _batches(requests):
            answer = self.clients.dynamodb.batch_write_item(RequestItems={table: batch})
            assert not answer["UnprocessedItems"]

    def start(self, given: Any) -> str:
        """Start an execution with this input; gives its ARN."""
        started = self.clients.stepfunctions.start_execution(
            stateMachineArn=self.deployed.state_machine_arn, input=json.dumps(given)
        )
        return started["executionArn"]

    def ended(self, arn: str) -> Execution:
        """Wait for the end of an execution."""

        def look() -> Any:
            description = self.clients.stepfunctions.describe_execution(executionArn=arn)
            return description if description["status"] != "RUNNING" else None

        found = wait_for(f"the end of {arn}", look)
        cause = found.get("cause", "")
        return Execution(
            arn,
            found["status"],
            json.loads(found.get("output") or "{}"),
            found.get("error", ""),
            json.loads(cause)["errorMessage"] if cause.startswith("{") else cause,
            self.history(arn),
            self.children(arn),
        )

    def history(self, arn: str) -> list[dict[str, Any]]:
        """All events of an execution so far."""
        pages = self.clients.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [dict(event) for page in pages for event in page["events"]]

    def children(self, arn: str) -> dict[str, list[dict[str, Any]]]:
        """All events so far of the executions that the Distributed Maps of an execution have started, by Map."""
        found: dict[str, list[dict[str, Any]]] = {}
        for run in self.clients.stepfunctions.list_map_runs(executionArn=arn)["mapRuns"]:
            name = run["mapRunArn"].split(":")[-2].rpartition("/")[2]
            pages = self.clients.stepfunctions.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"])
            arns = [child["executionArn"] for page in pages for child in page["executions"]]
            found[name] = [event for child in arns for event in self.history(child)]
        return found

    def run(self, given: Any) -> Execution:
        """Start an execution, and wait for its end; it must succeed."""
        execution = self.ended(self.start(given))
        assert execution.status == "SUCCEEDED", f"{execution.error}: {execution.message}"
        return execution

    def fail(self, given: Any) -> Execution:
        """Start an execution, and wait for its end; it must fail."""
        execution = self.ended(self.start(given))
        assert execution.status == "FAILED", execution.output
        return execution

    def keys(self, prefix: str) -> list[str]:
        """The keys of the staged objects below a prefix, sorted."""
        pages = self.clients.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.deployed.staging_bucket, Prefix=prefix
        )
        return sorted(found["Key"] for page in pages for found in page.get("Contents", []))

    def parts(self, stage: str, execution: Execution) -> list[str]:
        """The keys of a stage's parts in an execution, sorted: neither manifest nor aggregates."""
        keys = self.keys(f"{stage}/{execution.run}/")
        return [
            key
            for key in keys
            if key.count("/") == 2 and not key.endswith(("run.json", "replayed.json", "aggregates.json"))
        ]

    def body(self, key: str) -> bytes:
        """A staged object's bytes."""
        return self.clients.s3.get_object(Bucket=self.deployed.staging_bucket, Key=key)["Body"].read()

    def document(self, key: str) -> Any:
        """A staged JSON document, its numbers with every digit."""
        return json.loads(self.body(key), parse_float=Decimal)

    def lines(self, prefix: str) -> list[bytes]:
        """The lines of records in all staged objects below a prefix, without their commas."""
        return [
            line.removesuffix(b",")
            for key in self.keys(prefix)
            for line in self.body(key).splitlines()
            if line not in (b"[", b"]")
        ]

    def quarantined(self, execution: Execution) -> dict[str, bytes]:
        """The lines of this test's items in an execution's quarantine, by their names (see `item`)."""
        found: dict[str, bytes] = {}
        for line in self.lines(f"quarantine/{execution.run}/"):
            id_ = json.loads(line)["item"]["id"]
            name = id_ if isinstance(id_, str) else id_["S"]
            if name.startswith(self.token):
                assert name.removeprefix(self.token) not in found, f"{name} is in quarantine twice"
                found[name.removeprefix(self.token)] = line
        return found

    def destination(self) -> dict[Key, dict[str, Canonical]]:
        """This test's items in the destination table."""
        return canonical(self._scan(self.token), of_boto3)

    def loaded_names(self) -> set[str]:
        """The names (see `item`) of this test's items that are in the destination table."""
        return {item["id"]["S"].removeprefix(self.token) for item in self._scan(self.token)}

    def _scan(self, prefix: str) -> list[Item]:
        pages = self.clients.dynamodb.get_paginator("scan").paginate(
            TableName=self.deployed.destination_table,
            FilterExpression="begins_with(id, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        return [{**item} for page in pages for item in page["Items"]]  # type: ignore[dict-item]

    def expect_destination(self, items: Iterable[Item], end: str) -> None:
        """The destination table has these items, transformed in a window that ends at `end`, exactly, and no other."""
        expected = [expected_loaded(expected_record(item, end)) for item in items]
        compare("the destination table", canonical(expected, of_boto3), self.destination())

    @contextmanager
    def configured(self, function: str, *, timeout_seconds: int | None = None, **variables: str) -> Iterator[None]:
        """A function with other settings; it has its own again afterwards."""
        before = self.clients.lambda_.get_function_configuration(FunctionName=function)
        environment = before["Environment"]["Variables"]
        self._configure(function, timeout_seconds or before["Timeout"], environment | variables)
        try:
            yield
        finally:
            self._configure(function, before["Timeout"], environment)

    def _configure(self, function: str, timeout_seconds: int, variables: dict[str, str]) -> None:
        # The emulator ends the function's processes and takes the settings at once: there is nothing to wait for.
        self.clients.lambda_.update_function_configuration(
            FunctionName=function, Timeout=timeout_seconds, Environment={"Variables": variables}
        )

    @contextmanager
    def interposed(
        self, function: str, service: str, behaviour: Behaviour, *, timeout_seconds: int | None = None, **variables: str
    ) -> Iterator[None]:
        """A function whose requests to a service ("S3", "DYNAMODB") are answered as `behaviour` says.

        The function is sent to the interposer once, and stays with it: other settings would end its processes.
        """
        relays = self.deployed.relays
        found = self.clients.lambda_.get_function_configuration(FunctionName=function)
        redirected = {f"AWS_ENDPOINT_URL_{service}": relays.url(function, service)}
        own = found["Environment"]["Variables"]
        if not redirected.items() <= own.items():
            self._configure(function, found["Timeout"], own | redirected)
        with ExitStack() as stack:
            if timeout_seconds or variables:
                stack.enter_context(self.configured(function, timeout_seconds=timeout_seconds, **variables))
            stack.enter_context(relays.behaving(function, service, behaviour))
            yield

    def kill(self, function: str) -> int:
        """Kill the processes of a function of this environment, as a crash would; gives their number."""
        found = self.processes(function)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return len(found)

    def processes(self, function: str) -> list[int]:
        """The pids of a function's processes in this environment."""
        folder = str(self.deployed.environment.state_dir / "tmp" / f"ministack-lambda-{function}-")
        return [pid for pid, command in processes() if folder in command]


def _batches(requests: Sequence[Any], size: int = 25, most_bytes: int = 8_000_000) -> Iterator[list[Any]]:
    """Batches that BatchWriteItem takes: 25 requests, 16 MB."""
    batch: list[Any] = []
    total = 0
    for request in requests:
        length = len(str(request))
        if batch and (len(batch) == size or total + length > most_bytes):
            yield batch
            batch, total = [], 0
        batch.append(request)
        total += length
    if batch:
        yield batch
