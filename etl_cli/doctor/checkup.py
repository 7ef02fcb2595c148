"""The checks of `etl doctor`, one after the other. A check that AWS refuses is a finding too, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from etl.model.instants import format_instant
from etl.model.names import SPECIFIED, Names
from etl.model.stages import BY_ACTION, EXTRACT, FUNCTIONS
from etl.tables.source import described
from etl_cli.aws import error_messages
from etl_cli.aws.cli_lines import aws
from etl_cli.aws.deploy_line import deploy_line, is_local
from etl_cli.aws.deployed_schema import reads_all, schema_from
from etl_cli.aws.error_messages import are_unusable, is_unreachable
from etl_cli.aws.pipelines import chosen_stack
from etl_cli.aws.place import Place
from etl_cli.aws.shell_settings import with_local_hint
from etl_cli.aws.table_way import Side, TableWay
from etl_cli.doctor.findings import Finding, explained, is_missing, problem
from etl_cli.doctor.ledger_findings import ledger_findings
from etl_cli.doctor.room_findings import ABOUT as ABOUT_ROOM
from etl_cli.doctor.room_findings import room_finding
from etl_cli.doctor.stack_findings import UNMADE, obstacle_findings, refusal_findings, stack_finding
from etl_cli.doctor.table_findings import ABOUT as ABOUT_KEYS
from etl_cli.doctor.table_findings import (
    fill_finding,
    filter_finding,
    first_item,
    is_usual,
    keys_finding,
    not_assumed,
    refused,
)
from etl_cli.runs.coverage import of_whole_table
from etl_cli.runs.ledger import read_ledger
from etl_cli.terminal.chosen_pipeline import chosen_pipeline
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import plural
from etl_cli.terminal.times import Times

_BUCKET, _MACHINE = "StagingBucketName", "StateMachineArn"
_OUTPUTS = ("SourceTableName", "DestinationTableName", _BUCKET, _MACHINE)
# You are waiting: a service that doesn't answer soon is a finding.
_PATIENCE = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 2})


class _Check(NamedTuple):
    """A check: its subject, the service's prefix in IAM, the resource, and the function that checks it."""

    about: str
    service: str
    thing: str
    check: Callable[[], Iterator[Finding]]


class _HopelessError(Exception):
    """No further check can succeed after this finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


class Checkup:
    """One check of everything; the watermark may be so late."""

    def __init__(self, place: Place, etl: EtlLines, times: Times, now: datetime, late: timedelta) -> None:
        self._place = place
        self._etl, self._times, self._now, self._late = etl, times, now, late
        self._identity = "these credentials"
        self._account, self._partition, self._region = "", "aws", place.session.region_name or ""
        # The pipeline's names, as far as the choice says them; its stack says the rest.
        self._names = Names.beginning(chosen_pipeline() or SPECIFIED)[0]
        self._deploy = deploy_line("", self._names)
        self._outputs: dict[str, str] = {}
        # The variables of Extract, and the tables that were found, with a client that reaches each.
        self._variables: dict[str, str] = {}
        self._tables: dict[str, tuple[TableWay, Any]] = {}
        # The status of a stack without resources; empty if there is no stack, None if it has its resources.
        self._unmade: str | None = None

    def findings(self) -> Iterator[Finding]:
        """Check each part, with one finding or more for each."""
        for about, service, thing, check in self._checks():
            try:
                yield from check()
            except _HopelessError as hopeless:
                yield hopeless.finding
                return
            except UserError as error:
                yield problem(about, error)
            except (BotoCoreError, ClientError) as error:
                yield explained(error, about, service, thing, identity=self._identity, deploy=self._deploy)

    def _checks(self) -> Iterator[_Check]:
        """The checks; a generator, so that later ones know the results of earlier ones."""
        yield _Check("credentials", "sts", "the caller", self._credentials)
        yield _Check("stack", "cloudformation", f"stack {self._names.stack}", self._stack)
        if self._unmade:
            yield _Check("refused", "cloudformation", f"stack {self._names.stack}", self._refusals)
        if self._unmade is not None:
            yield _Check("in the way", "dynamodb", "a table of the stack", self._obstacles)
            return  # everything else is missing too
        yield _Check("schedule", "events", f"rule {self._names.schedule_rule}", self._schedule)
        yield _Check("workflow", "states", f"state machine {self._output(_MACHINE)}", self._workflow)
        for name in FUNCTIONS:
            yield _Check(name, "lambda", f"function {self._names.function(name)}", partial(self._function, name))
        yield _Check(ABOUT_ROOM, "lambda", "Lambda's room for functions", self._room)
        tables: dict[Side, str] = {"source": "SourceTableName", "destination": "DestinationTableName"}
        for about, output in tables.items():
            yield _Check(about, "dynamodb", f"table {self._output(output)}", partial(self._table, about, output))
        yield _Check(ABOUT_KEYS, "dynamodb", "the tables", self._keys)
        yield _Check("staging", "s3", f"bucket {self._output(_BUCKET)}", self._bucket)
        yield _Check("dead letters", "sqs", f"queue {self._names.dead_letters}", self._dead_letters)
        yield _Check("ledger", "dynamodb", f"table {self._names.ledger_table}", self._ledger)

    def _output(self, name: str) -> str:
        """An output of the stack; for a stack that can't be read, the name that its own resource has."""
        if name in self._outputs:
            return self._outputs[name]
        source, destination, _ = self._names.tables
        machine = (
            f"arn:{self._partition}:states:{self._region}:{self._account}:stateMachine:{self._names.state_machine}"
        )
        bucket = self._names.staging_bucket(self._account, self._region)
        return dict(zip(_OUTPUTS, (source, destination, bucket, machine), strict=True))[name]

    def _client(self, service: str, options: Mapping[str, str] | None = None) -> Any:
        return self._place.client(service, _PATIENCE, options)

    def _credentials(self) -> Iterator[Finding]:
        endpoint = ""
        try:
            sts = self._client("sts")
            endpoint = sts.meta.endpoint_url
            self._deploy = deploy_line(endpoint, self._names)
            identity = sts.get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            if are_unusable(error) or (is_unreachable(error) and is_local(endpoint)):
                reason = error_messages.explained(error, self._place.profile, endpoint)
                raise _HopelessError(problem("credentials", reason)) from None
            raise
        self._identity = identity["Arn"]
        self._account, self._partition = identity["Account"], identity["Arn"].split(":")[1]
        yield Finding("credentials", "ok", identity["Arn"])
        region = self._region
        yield Finding("region", "ok", region + (f", the local environment at {endpoint}" if is_local(endpoint) else ""))

    def _stack(self) -> Iterator[Finding]:
        client = self._client("cloudformation")
        try:
            found = chosen_stack(client, chosen_pipeline())
        except UserError as error:  # which pipeline is meant isn't clear
            raise _HopelessError(problem("stack", error)) from None
        self._names, self._outputs = found.names, dict(found.outputs)
        self._deploy = deploy_line(client.meta.endpoint_url, self._names)
        if not found.status:
            remedy = "Deploy it, or give another --profile or --region:"
            absent = UserError(
                f"There is no stack {self._names.stack} in {self._region}", remedy, remedy_lines=[self._deploy]
            )
            is_elsewhere = not is_local(client.meta.endpoint_url)
            self._unmade = ""
            yield problem("stack", with_local_hint(absent) if is_elsewhere else absent)
            return
        missing = [name for name in _OUTPUTS if name not in self._outputs]
        yield stack_finding(self._names.stack, found.status, missing, self._deploy)
        self._unmade = found.status if found.status in UNMADE else None

    def _obstacles(self) -> Iterator[Finding]:
        bucket, status = self._output(_BUCKET), self._unmade or ""
        return obstacle_findings(self._client, self._names, bucket, status, self._etl.options)

    def _refusals(self) -> Iterator[Finding]:
        return refusal_findings(self._client("cloudformation"), self._names.stack)

    def _schedule(self) -> Iterator[Finding]:
        events, name = self._client("events"), self._names.schedule_rule
        rule = events.describe_rule(Name=name)
        if rule["State"] == "DISABLED":
            remedy = "If that isn't on purpose, enable it:"
            line = aws("events", "enable-rule", "--name", name, options=self._etl.options)
            yield Finding("schedule", "warning", f"{name} is disabled: it starts no run", remedy, line)
        targets = [target["Arn"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
        if self._output(_MACHINE) not in targets:
            text = f"{name} does not start {self._output(_MACHINE)}"
            yield Finding("schedule", "problem", text, "The stack makes the target: deploy it again.", self._deploy)
        elif rule["State"] != "DISABLED":
            yield Finding("schedule", "ok", f"{name} is enabled, {rule.get('ScheduleExpression', 'on events only')}")

    def _workflow(self) -> Iterator[Finding]:
        arn = self._output(_MACHINE)
        status = self._client("stepfunctions").describe_state_machine(stateMachineArn=arn)["status"]
        yield self._active("workflow", f"state machine {arn.rpartition(':')[2]}", status)

    def _function(self, name: str) -> Iterator[Finding]:
        function = self._names.function(name)
        found = self._client("lambda").get_function_configuration(FunctionName=function)
        if name == BY_ACTION[EXTRACT].function:
            self._variables = found.get("Environment", {}).get("Variables", {})
        reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or ""
        state = found.get("State", "Active")
        if found.get("LastUpdateStatus") == "Failed":
            state = "not updated"
        yield self._active(name, f"function {function}", state, reason, healthy=("Active", "Inactive"))

    def _room(self) -> Iterator[Finding]:
        try:
            yield room_finding(self._client("lambda"), self._names, self._etl.options, self._deploy)
        except ClientError as error:
            if not is_missing(error):  # otherwise the function's own finding says so
                raise

    def _table(self, about: Side, output: str) -> Iterator[Finding]:
        way = TableWay.of(about, self._output(output), self._variables)
        try:
            options = way.options(self._client("sts"), "etl-doctor")
        except ClientError as error:
            yield not_assumed(way, error, self._identity)
            return
        client = self._client("dynamodb", options)
        try:
            table = client.describe_table(TableName=way.name)["Table"]
        except ClientError as error:
            found = refused(way, error, self._identity, self._account) if way.exists else None
            if not found:
                raise
            yield found
            return
        self._tables[about] = way, client
        yield self._active(about, f"table {way.name}", table["TableStatus"], healthy=("ACTIVE", "UPDATING"))

    def _keys(self) -> Iterator[Finding]:
        """The keys of both tables, the time of an item, and its first item; nothing about the specification's."""
        if len(self._tables) < 2 or not self._variables:
            return
        source, destination = (
            described(client, way.name).key for way, client in map(self._tables.__getitem__, ("source", "destination"))
        )
        schema = schema_from(source, destination, self._variables, self._deploy)
        if is_usual(schema, {about: way for about, (way, _) in self._tables.items()}):
            return
        yield keys_finding(schema)
        way, client = self._tables["source"]
        try:
            lines = first_item(client, way.name, schema, format_instant(self._now))
        except ClientError as error:
            found = filter_finding(error, way.name, self._deploy)
            found = found or refused(way, error, self._identity, self._account)
            if not found:
                raise
            yield found
            return
        if unfit := fill_finding(lines, schema, self._names.pipeline, self._now, self._etl):
            yield unfit

    def _bucket(self) -> Iterator[Finding]:
        bucket = self._output(_BUCKET)
        self._client("s3").head_bucket(Bucket=bucket)
        yield Finding("staging", "ok", f"bucket {bucket} is there")

    def _dead_letters(self) -> Iterator[Finding]:
        sqs = self._client("sqs")
        queue = self._names.dead_letters
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        attribute = "ApproximateNumberOfMessages"
        waiting = int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])["Attributes"][attribute])
        if not waiting:
            yield Finding("dead letters", "ok", f"queue {queue} is empty")
            return
        text = f"{plural(waiting, 'event')} in {queue} could not start anything"
        remedy = "Read the reasons, list the missing time with etl gaps, then delete the events:"
        words = ("sqs", "receive-message", "--message-attribute-names", "All", "--queue-url", url)
        yield Finding("dead letters", "problem", text, remedy, aws(*words, options=self._etl.options))

    def _ledger(self) -> Iterator[Finding]:
        entries, watermark = read_ledger(self._client("dynamodb"), self._names, self._now)
        yield Finding("ledger", "ok", f"table {self._names.ledger_table} has {plural(len(entries), 'run')}")
        entries = of_whole_table(entries) if reads_all(self._variables) else entries
        yield from ledger_findings(entries, watermark, self._now, self._late, self._times, self._etl)

    def _active(
        self, about: str, thing: str, state: str, reason: str = "", healthy: tuple[str, ...] = ("ACTIVE",)
    ) -> Finding:
        if state in healthy:
            return Finding(about, "ok", f"{thing} is {state.lower()}")
        text = f"{thing} is {state}{f': {reason}' if reason else ''}"
        remedy = "Check again in a minute. If it stays, deploy the stack again:"
        return Finding(about, "problem", text, remedy, self._deploy)
