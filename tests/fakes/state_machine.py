"""A state machine in memory, and the ledger that its executions write; each execution goes as a recorded one went."""
# ruff: noqa: N803 - the names of arguments are those of AWS

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from tests.fakes.aws import Answer, FakeAws, RefusalError, stack, stacks
from tests.fakes.recording import Recording, answer_of

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:etl-pipeline"
OUTPUTS = {
    "SourceTableName": "etl-source-data",
    "DestinationTableName": "etl-destination-data",
    "StagingBucketName": "etl-staging-000000000000-us-east-1",
    "StateMachineArn": MACHINE,
}


@dataclass
class Execution:
    """An execution.

    Attributes:
        looks: how many more times it is seen running.
        status: its current status.
        machine: ARN of the state machine that it is of.
        entry_status: its status in the ledger; the same, if that is empty.
    """

    name: str
    given: dict[str, Any]
    recording: Recording
    started: datetime
    looks: int
    status: str = "RUNNING"
    machine: str = MACHINE
    entry_status: str = ""

    @property
    def arn(self) -> str:
        return f"{MACHINE.replace(':stateMachine:', ':execution:')}:{self.name}"

    @property
    def run(self) -> str:
        return f"{self.started:%Y%m%dT%H%M%S}000Z"

    def entry(self) -> dict[str, Any]:
        """The ledger's entry."""
        # The command compares it with the present, and a run may take half an hour.
        started = datetime.now(UTC) if self.status == "RUNNING" else self.started
        entry = {
            "id": self.name,
            "execution": self.arn,
            "status": self.entry_status or self.status,
            "run": self.run,
            "started_at": started.isoformat(),
        }
        if self.status == "FAILED":
            entry |= {"stage": "Gate", "error": "QualityGateError"}
        counts: dict[str, int] = {}
        if self.status == "SUCCEEDED":
            counts = json.loads(self.recording.description["output"])["counts"]
        numbers = {"counts": {"M": {name: {"N": str(number)} for name, number in counts.items()}}}
        return {name: {"S": value} for name, value in entry.items()} | numbers


@dataclass
class FakeStateMachine:
    """The state machine.

    Attributes:
        course: the recording that an execution follows, by its input.
        looks: how many times an execution is seen running.
        executions: all of them, by name, in the order of their starts.
        most_running: how many ran at once at most.
        now: when the next execution starts.
        unrecorded: names of executions that have no entry in the ledger.
        forgotten: names of executions that Step Functions doesn't know any more.
        refuse: the error for anyone that looks at a running execution.
        on_start: called with each execution that a command starts.
    """

    course: Callable[[dict[str, Any]], str] = lambda _: "succeeded"
    looks: int = 2
    executions: dict[str, Execution] = field(default_factory=dict)
    most_running: int = 0
    now: datetime = datetime(2026, 11, 24, 20, tzinfo=UTC)
    unrecorded: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    refuse: BaseException | None = None
    on_start: Callable[[Execution], None] = lambda _: None

    @cached_property
    def aws(self) -> FakeAws:
        """AWS with this state machine, its tables and its bucket."""
        files = Recording("succeeded")
        answers: dict[str, Answer] = {
            "cloudformation.DescribeStacks": stacks(stack(OUTPUTS)),
            "lambda.GetFunctionConfiguration": {"Environment": {"Variables": {}}},
            "sfn.StartExecution": self.start,
            "sfn.DescribeExecution": self.describe,
            "sfn.GetExecutionHistory": self.history,
            "sfn.ListExecutions": self.list,
            "dynamodb.Query": lambda **_: {"Items": self.entries()},
            "dynamodb.GetItem": lambda TableName, Key, **_: (
                files.dynamodb.get_item(TableName=TableName, Key=Key) if TableName in files.dynamodb.tables else {}
            ),
            "dynamodb.DescribeTable": {"Table": {"ItemCount": 0}},
            "s3.ListObjectsV2": lambda Bucket, Prefix, **_: next(iter(files.s3._pages(Bucket=Bucket, Prefix=Prefix))),
            "s3.GetObject": partial(answer_of, files.s3),
        }
        return FakeAws(answers, region="us-east-1")

    def entries(self) -> list[dict[str, Any]]:
        """The ledger's entries."""
        return [each.entry() for each in self.executions.values() if each.name not in self.unrecorded]

    def begin(self, name: str, given: dict[str, Any] | None = None) -> Execution:
        """An execution that somebody starts."""
        made = Execution(name, given or {}, Recording(self.course(given or {})), self.now, self.looks)
        self.now += timedelta(seconds=1)
        self.executions[name] = made
        running = [each for each in self.executions.values() if each.status == "RUNNING"]
        self.most_running = max(self.most_running, len(running))
        return made

    def start(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002
        assert stateMachineArn == MACHINE
        if name in self.executions:
            raise RefusalError("ExecutionAlreadyExists")
        execution = self.begin(name, json.loads(input))
        self.on_start(execution)
        return {"executionArn": execution.arn}

    def describe(self, *, executionArn: str) -> dict[str, Any]:
        found = self._find(executionArn)
        if found.status == "RUNNING":
            if self.refuse:
                raise self.refuse
            found.looks -= 1
            if found.looks < 0:
                found.status = found.recording.description["status"]
        facts = {
            "executionArn": found.arn,
            "stateMachineArn": found.machine,
            "name": found.name,
            "startDate": found.started,
        }
        if found.status == "RUNNING":
            return facts | {"status": "RUNNING"}
        return found.recording.description | facts | {"status": found.status}

    def history(self, *, executionArn: str, **_: Any) -> dict[str, Any]:
        found = self._find(executionArn)
        events = found.recording.events
        shown = events if found.status in ("SUCCEEDED", "FAILED") else events[: len(events) // 2]
        return {"events": shown[::-1]}

    def list(self, *, stateMachineArn: str, maxResults: int, statusFilter: str = "") -> dict[str, Any]:
        assert stateMachineArn == MACHINE
        found = [each for each in self.executions.values() if statusFilter in ("", each.status)]
        return {"executions": [{"executionArn": each.arn} for each in reversed(found)][:maxResults]}

    def _find(self, arn: str) -> Execution:
        for each in self.executions.values():
            if each.arn == arn and each.name not in self.forgotten:
                return each
        raise RefusalError("ExecutionDoesNotExist" if ":execution:etl-pipeline:" in arn else "InvalidArn")
