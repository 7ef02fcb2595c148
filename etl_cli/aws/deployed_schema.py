"""The keys of a pipeline's tables, and the time of an item, as Plan fixes them for the next run."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import ClientError
from msgspec.structs import replace

from etl.model.change_time import ChangeTime
from etl.model.configured_schema import schema_of
from etl.model.errors import ConfigurationError
from etl.model.keys import KeyAttributes
from etl.model.schema import SPECIFIED, Schema
from etl.model.settings import SETTINGS
from etl.model.table_access import EXISTING
from etl.settings import ExtractSettings
from etl.tables.source import described
from etl_cli.aws.deployment import Deployment
from etl_cli.aws.error_messages import is_denied
from etl_cli.aws.table_way import table_client
from etl_cli.terminal.errors import UserError


def deployed_schema(deployment: Deployment) -> Schema:
    """Read the keys of both tables by DescribeTable, and the time of an item from the settings of Extract.

    The settings alone have the key of a destination that is still to be made.

    Raises:
        UserError: the settings can't be used.
    """
    source = described(table_client(deployment, "source"), deployment.source_table).key
    if deployment.planned is not None and EXISTING[1] not in deployment.planned:
        return replace(schema_of(ExtractSettings.from_env(deployment.planned)), source=source)
    destination = described(table_client(deployment, "destination"), deployment.destination_table).key
    return schema_from(source, destination, deployment.variables, deployment.deploy_line())


def schema_from(source: KeyAttributes, destination: KeyAttributes, variables: Mapping[str, str], deploy: str) -> Schema:
    """The schema of tables with these keys, and of Extract with these variables; ``deploy`` deploys it again.

    Raises:
        UserError: the variables can't be used.
    """
    try:
        found = schema_of(ExtractSettings.from_env(variables))
    except ConfigurationError as error:
        raise UserError(f"Extract can't run: {error}.", f"Deploy it again: {deploy}") from None
    return replace(found, source=source, destination=destination)


def reads_all(variables: Mapping[str, str]) -> bool:
    """Whether each run reads the whole table, by the variables of Extract: the table has no change time."""
    return variables.get(SETTINGS["source_cursor_format"].variable) == "none"


def may_read_all(deployment: Deployment) -> bool:
    """The same for a deployment; false if you may not see the function."""
    try:
        return reads_all(deployment.variables)
    except ClientError as error:
        if not is_denied(error):
            raise
        return False


def key_words(key: KeyAttributes) -> str:
    """A key in words: ``pk (S), sk (N)``."""
    return ", ".join(f"{each.name} ({each.type})" for each in key)


def time_words(time: ChangeTime) -> str:
    """A change time in words: ``updatedAt as epoch_ms``."""
    if time.format == "none":
        return "no change time"
    zone = f" of {time.zone}" if time.format == "iso_local" else ""
    missing = "" if time.missing == "quarantine" else f", {time.missing} items without it"
    return f"{time.text} as {time.format}{zone}{missing}"


def require_specified(schema: Schema, table: str, *, destination: bool = False) -> None:
    """Refuse to make items up for a table with other keys or another change time than the specification's.

    Raises:
        UserError: the schema of the source differs, or that of the destination, if it counts.
    """
    named = {"key": (schema.source, SPECIFIED.source), "change time": (schema.time, SPECIFIED.time)}
    if destination:
        named["destination's key"] = (schema.destination, SPECIFIED.destination)
    other = [name for name, (found, specified) in named.items() if found != specified]
    if other:
        raise UserError(
            f"The items made up here are for the specification's tables: the {' and the '.join(other)} of {table} "
            f"{'is' if len(other) == 1 else 'are'} another. Nothing was written.",
            "Fill your own table yourself, and start a run: etl run. A pipeline without settings of tables has those "
            "of the specification.",
        )
