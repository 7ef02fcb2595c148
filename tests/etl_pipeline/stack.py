"""The deployed stack, as the complete test uses it: by its outputs, with boto3."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tests.etl_pipeline.values import Canonical, CheckError, Item, Key, canonical, expect, of_boto3

OUTPUTS = ("SourceTableName", "DestinationTableName", "StagingBucketName", "StateMachineArn")
RULE = "etl-daily-schedule"
# By the first the gate refuses items that are rejected; by the second, if all are dropped or can't be added up.
GATE_ERRORS = ("QualityGateError", "TransformationError")


class NothingToTestError(Exception):
    """There is no stack, or no way to it."""


class UnfitError(CheckError):
    """The gate stopped the run: its items don't fit the transformation."""


def is_local(endpoint: str) -> bool:
    """Whether an endpoint is that of a local environment."""
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")


class DeployedStack:
    """The stack as its outputs name it.

    Args:
        name: the stack's name.

    Raises:
        NothingToTestError: there is no such stack.
    """

    def __init__(self, name: str) -> None:
        # boto3 alone takes the region from AWS_DEFAULT_REGION, and not from AWS_REGION as the CDK CLI and others do.
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        self._s3 = session.client("s3")
        self._events = session.client("events")
        self._dynamodb = session.client("dynamodb")
        self._stepfunctions = session.client("stepfunctions")
        outputs = self._outputs(session, name)
        self.source, self.destination, self.bucket, self.state_machine = (outputs[key] for key in OUTPUTS)

    @staticmethod
    def _outputs(session: boto3.Session, name: str) -> dict[str, str]:
        client = session.client("cloudformation")
        deploy = ".venv/bin/etl local deploy" if is_local(client.meta.endpoint_url) else f"cdk deploy {name}"
        place = f"{client.meta.endpoint_url} (region {client.meta.region_name})"
        try:
            stack = client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            local = 'make demo, then eval "$(.venv/bin/etl local env)"'
            other = "" if is_local(client.meta.endpoint_url) else f"; or, for the local environment: {local}"
            raise NothingToTestError(f"there is no stack {name} at {place}. Deploy it: {deploy}{other}") from None
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        missing = [key for key in OUTPUTS if key not in outputs]
        if missing:
            raise NothingToTestError(
                f"the stack {name} at {place} is {stack['StackStatus']} and has no output {', '.join(missing)}: "
                f"deploy it again: {deploy}"
            )
        return outputs

    def put(self, items: Sequence[Item]) -> None:
        """Put items into the source table, and wait until they are there for a scan, which may lag behind."""
        self._write(self.source, [{"PutRequest": {"Item": item}} for item in items])
        keys = [{"id": item["id"]} for item in items]
        for _ in range(3):  # each is answered by any of three copies
            while len(self._read(self.source, keys, consistent=False)) < len(keys):
                time.sleep(0.2)

    def delete(self, items: Sequence[Item], keys: Iterable[Key]) -> None:
        """Delete items from the source table, and keys from the destination table."""
        self._write(self.source, [{"DeleteRequest": {"Key": {"id": item["id"]}}} for item in items])
        self._write(self.destination, [{"DeleteRequest": {"Key": _wire_key(key)}} for key in keys])

    def _write(self, table: str, requests: Sequence[Any]) -> None:
        for first in range(0, len(requests), 25):
            waiting: Any = {table: requests[first : first + 25]}
            while waiting:
                waiting = self._dynamodb.batch_write_item(RequestItems=waiting)["UnprocessedItems"]

    def _read(self, table: str, keys: Sequence[Any], *, consistent: bool) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for first in range(0, len(keys), 100):
            waiting: Any = {table: {"Keys": keys[first : first + 100], "ConsistentRead": consistent}}
            while waiting:
                answer = self._dynamodb.batch_get_item(RequestItems=waiting)
                found += answer["Responses"].get(table, [])
                waiting = answer["UnprocessedKeys"]
        return found

    def loaded(self, keys: Iterable[Key]) -> dict[Key, dict[str, Canonical]]:
        """Read the records with these keys that are in the destination table."""
        return canonical(self._read(self.destination, list(map(_wire_key, keys)), consistent=True), of_boto3)

    def start(self, execution_input: dict[str, str]) -> str:
        """Start an execution (Option A); returns its ARN."""
        answer = self._stepfunctions.start_execution(
            stateMachineArn=self.state_machine, input=json.dumps(execution_input)
        )
        return answer["executionArn"]

    def send(self, detail: dict[str, str]) -> None:
        """Send the event that starts an execution (Option B)."""
        rule = self._events.describe_rule(Name=RULE)
        expect(f"the state of the rule {RULE}", "ENABLED", rule["State"])
        answer = self._events.put_events(
            Entries=[
                {"Source": "manual.trigger", "DetailType": "ETL Pipeline Trigger", "Detail": json.dumps(detail)},
            ]
        )
        expect("events that EventBridge refused", 0, answer["FailedEntryCount"])

    def started_by(self, detail: dict[str, str], deadline: float) -> str:
        """Wait for the execution that an event caused; returns its ARN."""
        seen: set[str] = set()
        while time.monotonic() < deadline:
            recent = self._stepfunctions.list_executions(stateMachineArn=self.state_machine, maxResults=20)
            for arn in (each["executionArn"] for each in recent["executions"]):
                if arn not in seen:
                    given = json.loads(self._stepfunctions.describe_execution(executionArn=arn).get("input", "{}"))
                    if isinstance(given, dict) and given.get("detail") == detail:
                        return arn
                    seen.add(arn)
            time.sleep(0.3)
        raise CheckError(f"time-out: the rule {RULE} has started no execution for the event")

    def follow(self, execution: str, deadline: float, progress: Callable[[str], None]) -> dict[str, Any]:
        """Wait for the end of an execution; returns its output. It is stopped if something goes wrong meanwhile.

        Raises:
            UnfitError: the gate stopped it.
            CheckError: it failed otherwise, or time ran out.
        """
        try:
            description = self._ended(execution, deadline, progress)
        except BaseException:
            with contextlib.suppress(BotoCoreError, ClientError):
                self._stepfunctions.stop_execution(executionArn=execution, cause="the test was broken off")
            raise
        if description["status"] != "SUCCEEDED":
            cause = description.get("cause", "")
            with contextlib.suppress(ValueError, TypeError, KeyError):  # a function's error is an object
                cause = json.loads(cause)["errorMessage"]
            error = description.get("error", "")
            states = self._states(execution)
            unfit = error in GATE_ERRORS and "Gate" in states and "Finish" not in states
            raise (UnfitError if unfit else CheckError)(
                f"the execution is {description['status']}: {error}: {cause}\n{execution}"
            )
        output: dict[str, Any] = json.loads(description["output"])
        return output

    def _ended(self, execution: str, deadline: float, progress: Callable[[str], None]) -> dict[str, Any]:
        last = ""
        while (description := self._stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise CheckError(f"time-out: the execution did not end in time: {execution}; see --timeout")
            state = self._state(execution)
            if state and state != last:
                progress(state)
                last = state
            time.sleep(0.3)
        return dict(description)

    def _state(self, execution: str) -> str:
        """Give the state that the execution entered last."""
        return next(iter(self._states(execution)), "")

    def _states(self, execution: str) -> list[str]:
        """List the states that the execution entered lately, the last first."""
        history = self._stepfunctions.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=50)
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in history["events"]
            if "stateEnteredEventDetails" in event
        ]

    def staged(self, prefix: str, *, without: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Read the records of all staged objects below a prefix, but those whose keys go on as in `without`."""
        records: list[dict[str, Any]] = []
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for key in (each["Key"] for each in page.get("Contents", [])):
                if not key.removeprefix(prefix).startswith(tuple(without)):
                    records += self.document(key)
        return records

    def document(self, key: str) -> Any:
        """Read a JSON document of the staging bucket, its numbers with every digit."""
        try:
            body = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            raise CheckError(f"s3://{self.bucket}/{key} is missing") from None
        return json.loads(body, parse_float=Decimal)


def _wire_key(key: Key) -> dict[str, Any]:
    return {"id": {"S": key[0]}, "timestamp": {"S": key[1]}}
