"""The keys of the deployed pipeline's tables, and the time of an item, as Plan fixes them for the next run."""

from __future__ import annotations

from dataclasses import fields

from etl.model.errors import ConfigurationError
from etl.model.function_settings import OfTables
from etl.model.schema import Schema
from etl.model.stages import BY_ACTION, EXTRACT
from etl.settings import time_of
from etl.tables.source import described
from etl_cli.aws.deployed_settings import setting_of
from etl_cli.aws.deployment import Deployment, deploy_line
from etl_cli.terminal.errors import UserError


def deployed_schema(deployment: Deployment) -> Schema:
    """Read the keys of both tables by DescribeTable, and the time of an item from the settings of Extract.

    Raises:
        UserError: the time's settings can't be used.
    """
    source, destination = (
        described(deployment.dynamodb, table).key for table in (deployment.source_table, deployment.destination_table)
    )
    functions = deployment.client("lambda")
    extract = functions.get_function_configuration(FunctionName=BY_ACTION[EXTRACT].function)
    endpoint = deployment.dynamodb.meta.endpoint_url
    settings = OfTables(**{each.name: setting_of(extract, each.name, endpoint) for each in fields(OfTables)})
    try:
        return Schema(source=source, destination=destination, time=time_of(settings))
    except ConfigurationError as error:
        raise UserError(f"{error}.", f"Deploy it again: {deploy_line(endpoint)}") from None
