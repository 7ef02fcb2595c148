"""The tables as settings describe them: the way to each, the keys, the time of an item, and the first item itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from etl.aws.raw_bodies import take_raw_bodies
from etl.model.schema import SPECIFIED, Schema
from etl.tables.change_time import EVER, bounds
from etl.tables.selection import as_written, selection
from etl_cli.aws.deployed_schema import key_words, time_words
from etl_cli.aws.error_messages import denied_action, is_denied
from etl_cli.aws.raw_items import items_of
from etl_cli.aws.table_way import TableWay
from etl_cli.doctor.findings import Finding, is_missing
from etl_cli.items.sample import preview_run
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines

ABOUT = "keys"
_REFUSED = "ValidationException"


def not_assumed(way: TableWay, error: ClientError, identity: str) -> Finding:
    """The finding if the role of a table can't be assumed: the functions may still be able to."""
    text = f"{identity} may not assume {way.role}, so table {way.name} can't be looked at"
    code = error.response["Error"]["Code"]
    remedy = (
        f"The role must exist, and its trust policy must allow sts:AssumeRole to the functions' roles"
        f"{' with the external id' if way.external_id else ''}. To look at the table from here, allow it to "
        f"{identity}, too."
    )
    return Finding(way.about, "warning", f"{text} ({code})", remedy)


def refused(way: TableWay, error: ClientError, identity: str, account: str) -> Finding | None:
    """The finding if a table that the stack didn't make is missing or can't be read; None for another error."""
    identity, table = way.role or identity, f"table {way.name}"
    setting = f"{way.about}_table"
    if is_missing(error):
        remedy = f"The setting {setting} names it: correct the setting and deploy the stack again, or make the table."
        return Finding(way.about, "problem", f"There is no {table}", remedy)
    if not is_denied(error):
        return None
    action = denied_action(error, "dynamodb")
    text = f"{action} is denied: {table} can't be read"
    remedy = f"Allow {action} on it to {identity}."
    if action.startswith("kms:"):
        remedy = f"Allow {action} on the table's key to {identity}, and name the key in {way.about}_kms_key_arn."
    elif way.account and way.account != account and not way.role:
        remedy = (
            f"The table is in account {way.account}, and the pipeline in {account}: name a role of "
            f"{way.account} in {way.about}_role_arn, or allow {action} by the table's resource policy."
        )
    return Finding(way.about, "problem", text, remedy)


def keys_finding(schema: Schema) -> Finding:
    """The keys and the time of the tables."""
    source = f"source {key_words(schema.source)} with {time_words(schema.time)}"
    text = f"{source}; destination {key_words(schema.destination)}"
    return Finding(ABOUT, "ok", text)


def first_item(dynamodb: Any, table: str, schema: Schema, now: str) -> list[bytes]:
    """Read one item at most, with the filter of a run.

    Raises:
        ClientError: DynamoDB refuses the filter, or to read.
    """
    take_raw_bodies(dynamodb, ("Scan",))
    picked = selection(schema, bounds(*EVER, now))
    return items_of(dynamodb.scan(TableName=table, Limit=1, ReturnConsumedCapacity="TOTAL", **picked))


def filter_finding(error: ClientError, table: str, deploy: str) -> Finding | None:
    """The finding if DynamoDB refuses the filter; None for another error."""
    if error.response["Error"]["Code"] != _REFUSED:
        return None
    text = f"DynamoDB refuses the filter on table {table}: {as_written(error.response['Error']['Message'])}"
    return Finding("source", "problem", text, "Correct source_filter and source_cursor, and deploy:", deploy)


def fill_finding(lines: list[bytes], schema: Schema, pipeline: str, now: datetime, etl: EtlLines) -> Finding | None:
    """The finding if the transformation of this checkout doesn't fill the key of the destination, by one item."""
    from etl_cli.items.local_transformation import LocalTransformation, transformation_path

    about = "transformation"
    try:
        path = transformation_path({}, pipeline)
    except UserError:  # it was deployed from another checkout
        text = f"this checkout has no pipeline {pipeline}, so its transformation.py isn't checked"
        return Finding(about, "warning", text, "Check it in the checkout that you deploy it from.")
    try:
        transformation = LocalTransformation(path, schema, whole=True)
        outcomes = list(transformation.outcomes(lines, preview_run(None, now, schema)))
    except UserError as error:
        return Finding(about, "problem", error.message, error.remedy)
    names = {each.name for each in schema.destination}
    for outcome in outcomes:
        rejection = outcome.rejection
        if rejection and rejection.field in names:
            text = f"transformation.py doesn't fill the destination's key {key_words(schema.destination)} for an item"
            remedy = "Return each attribute of the key, with its type, in each record. See it:"
            return Finding(about, "problem", f"{text}: {rejection.summary}", remedy, etl.line("preview"))
    return None


def is_usual(schema: Schema, ways: Mapping[str, TableWay]) -> bool:
    """Whether the tables are the specification's, made by the stack."""
    return schema == SPECIFIED and not any(way.exists for way in ways.values())
