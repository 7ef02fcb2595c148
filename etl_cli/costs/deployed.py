"""The settings, functions and tables of a deployed pipeline, for the capacity model. Reading them is free."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from msgspec.structs import replace

from etl.model.names import ETL, Names
from etl.model.schema import SPECIFIED, Schema
from etl.model.stages import BY_ACTION, EXTRACT, LOAD
from etl.model.windows import WindowRules
from etl_cli.aws.deployed_settings import setting_of
from etl_cli.aws.deployment import Deployment
from etl_cli.aws.error_messages import is_denied
from etl_cli.aws.table_way import Side, table_client
from etl_cli.costs.capacity_inputs import CapacitySettings
from etl_cli.costs.function_room import Room, read_room

# The greatest age of a table's size. Source: DynamoDB API reference, TableDescription.
OLDEST_SIZE = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class SourceSize:
    """Size and number of items of the source table, from DescribeTable, at most `OLDEST_SIZE` old."""

    name: str
    size_bytes: int
    items: int


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The parts of a deployed pipeline that decide a run's time and cost.

    Attributes:
        room: Lambda's room for workers; None if that can't be seen.
        schema: the tables' keys and the change time; ``read_deployed`` knows only the format of that time.
    """

    region: str
    endpoint: str
    source: SourceSize
    destination: str
    rules: WindowRules
    capacity: CapacitySettings
    room: Room | None = None
    schema: Schema = SPECIFIED
    names: Names = ETL


def read_deployed(deployment: Deployment) -> Deployed:
    """Read the settings of functions and state machine, and describe the tables.

    Raises:
        UserError: a function lacks a setting.
    """
    functions = deployment.client("lambda")
    extract, load = (
        functions.get_function_configuration(FunctionName=deployment.names.function(BY_ACTION[each].function))
        for each in (EXTRACT, LOAD)
    )
    source, destination = (
        table_client(deployment, side).describe_table(TableName=name)["Table"] for side, name in _tables(deployment)
    )
    machine = deployment.stepfunctions.describe_state_machine(stateMachineArn=deployment.state_machine)
    place = deployment.dynamodb.meta

    room = _room(functions, deployment.names)
    cursor_format = setting_of(extract, "source_cursor_format", deployment.deploy_line())

    def whole(function: Any, name: str) -> int:
        return int(setting_of(function, name, deployment.deploy_line()))

    return Deployed(
        region=place.region_name,
        endpoint=place.endpoint_url,
        source=SourceSize(
            name=deployment.source_table, size_bytes=source.get("TableSizeBytes", 0), items=source.get("ItemCount", 0)
        ),
        destination=deployment.destination_table,
        rules=WindowRules(
            lookback=timedelta(hours=whole(extract, "lookback_hours")),
            lateness=timedelta(minutes=whole(extract, "lateness_minutes")),
            catch_up=timedelta(days=whole(extract, "catch_up_days")),
            event_window=timedelta(days=whole(extract, "event_window_days")),
        ),
        capacity=CapacitySettings(
            concurrency=whole(extract, "concurrency"),
            segment_bytes=whole(extract, "segment_bytes"),
            source_read_units_per_second=whole(extract, "source_read_units_per_second"),
            max_write_units_per_second=whole(load, "max_write_units_per_second"),
            memory_mb=load["MemorySize"],
            architecture=load.get("Architectures", [CapacitySettings.architecture])[0],
            functions_at_once=max(1, room.least) if room else CapacitySettings.functions_at_once,
            timeout_seconds=json.loads(machine["definition"]).get("TimeoutSeconds", CapacitySettings.timeout_seconds),
            read_units_per_second=_warm(source, "ReadUnitsPerSecond"),
            write_units_per_second=_warm(destination, "WriteUnitsPerSecond") or CapacitySettings.write_units_per_second,
        ),
        room=room,
        names=deployment.names,
        schema=replace(SPECIFIED, time=replace(SPECIFIED.time, format=cursor_format)),
    )


def _tables(deployment: Deployment) -> tuple[tuple[Side, str], ...]:
    return ("source", deployment.source_table), ("destination", deployment.destination_table)


def _room(functions: Any, names: Names) -> Room | None:
    """Lambda's room for workers, which a plan can do without."""
    try:
        return read_room(functions, names)
    except ClientError as error:
        if not is_denied(error):
            raise
        return None


def _warm(table: Any, name: str) -> int | None:
    """An on-demand table's warm throughput; None if DescribeTable doesn't have it."""
    return int(table.get("WarmThroughput", {}).get(name, 0)) or None
