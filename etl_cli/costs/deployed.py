"""What the capacity model needs to know of a deployed pipeline: settings, functions, tables. Asking costs nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from etl_cli.aws.deployed_settings import setting_of
from etl_cli.aws.deployment import Pipeline
from etl_cli.aws.refusals import is_denied
from etl_cli.costs.capacity_inputs import CapacitySettings
from etl_cli.costs.cost import Functions
from etl_cli.costs.function_room import Room, read_room
from etl_cli.costs.window import WindowRules

# The function that plans and extracts, and the one that loads: each has the settings of its work.
_EXTRACT, _LOAD = "etl-extract", "etl-load"
# How old a table's size may be. Source: DynamoDB API reference, TableDescription.
OLDEST_SIZE = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class SourceSize:
    """The source table as DescribeTable tells it, at most `OLDEST_SIZE` ago.

    Attributes:
        name: the table's.
        size_bytes: of all of its items.
        items: their number.
    """

    name: str
    size_bytes: int
    items: int


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A deployed pipeline, as far as a run's time and cost depend on it.

    Attributes:
        region: where it is.
        endpoint: of a service there.
        source: the table that is read.
        destination: name of the table that is written.
        rules: how a run finds its window.
        capacity: settings of the stack, and what the tables can take.
        functions: memory and architecture.
        room: how many workers Lambda runs at once; None where it can't be seen.
    """

    region: str
    endpoint: str
    source: SourceSize
    destination: str
    rules: WindowRules
    capacity: CapacitySettings
    functions: Functions
    room: Room | None = None


def read_deployed(pipeline: Pipeline) -> Deployed:
    """Ask for the settings of functions and state machine, and for the tables.

    Raises:
        UserError: a function hasn't the settings that the stack gives it.
    """
    functions = pipeline.client("lambda")
    extract, load = (functions.get_function_configuration(FunctionName=name) for name in (_EXTRACT, _LOAD))
    source, destination = (
        pipeline.dynamodb.describe_table(TableName=name)["Table"]
        for name in (pipeline.source_table, pipeline.destination_table)
    )
    machine = pipeline.stepfunctions.describe_state_machine(stateMachineArn=pipeline.state_machine)
    place = pipeline.dynamodb.meta

    room = _room(functions)

    def whole(function: Any, name: str) -> int:
        return int(setting_of(function, name, place.endpoint_url))

    return Deployed(
        region=place.region_name,
        endpoint=place.endpoint_url,
        source=SourceSize(
            name=pipeline.source_table, size_bytes=source.get("TableSizeBytes", 0), items=source.get("ItemCount", 0)
        ),
        destination=pipeline.destination_table,
        rules=WindowRules(
            lookback=timedelta(hours=whole(extract, "lookback_hours")),
            lateness=timedelta(minutes=whole(extract, "lateness_minutes")),
            catch_up=timedelta(days=whole(extract, "catch_up_days")),
        ),
        capacity=CapacitySettings(
            concurrency=whole(extract, "concurrency"),
            segment_bytes=whole(extract, "segment_bytes"),
            max_write_units_per_second=whole(load, "max_write_units_per_second"),
            memory_mb=load["MemorySize"],
            functions_at_once=max(1, room.least) if room else CapacitySettings.functions_at_once,
            timeout_seconds=json.loads(machine["definition"]).get("TimeoutSeconds", CapacitySettings.timeout_seconds),
            read_units_per_second=_warm(source, "ReadUnitsPerSecond"),
            write_units_per_second=_warm(destination, "WriteUnitsPerSecond") or CapacitySettings.write_units_per_second,
        ),
        functions=Functions(memory_mb=load["MemorySize"], architecture=load.get("Architectures", ["x86_64"])[0]),
        room=room,
    )


def _room(functions: Any) -> Room | None:
    """How many workers Lambda runs at once; a plan can do without it."""
    try:
        return read_room(functions)
    except ClientError as error:
        if not is_denied(error):
            raise
        return None


def _warm(table: Any, name: str) -> int | None:
    """What an on-demand table can take at once; None where it isn't told."""
    return int(table.get("WarmThroughput", {}).get(name, 0)) or None
