"""A pipeline of this checkout that isn't deployed yet: its settings and its table are there, and no stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from etl.model.names import SPECIFIED
from etl.model.setting import SettingsError
from etl.model.settings import Settings
from etl.model.settings_sources import cdk_context
from etl.model.stages import BY_ACTION, EXTRACT
from etl.settings import environment
from etl_cli.aws.deployment import Deployment
from etl_cli.aws.pipelines import OUTPUTS, DeployedStack
from etl_cli.aws.place import Place
from etl_cli.local.checkout import checkout_pipeline
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT

# For what a stack makes.
_NOT_YET = "not-deployed"


def planned_deployment(place: Place, context: Mapping[str, str], chosen: str | None) -> Deployment | None:
    """The chosen pipeline as a deployment of this checkout would have it.

    Args:
        place: where its tables are.
        context: values of the CDK's context.
        chosen: the beginning of its names; None for the specification's.

    Returns:
        None if the checkout has no such pipeline, or if its source is a table that the stack makes.

    Raises:
        UserError: a setting isn't allowed.
    """
    try:
        found = checkout_pipeline({**cdk_context(ROOT), **context}, chosen or SPECIFIED)
    except SettingsError as error:
        raise UserError(str(error)) from None
    if found is None:
        return None
    names, settings = found[0], Settings(**found[1])
    if settings.source_table is None:
        return None
    values = asdict(settings) | {
        "staging_bucket": _NOT_YET,
        "stores": _NOT_YET,
        "ledger_table": names.ledger_table,
        "existing_source": settings.source_table,
        "existing_destination": settings.destination_table,
    }
    known = {
        "source_table": settings.source_table,
        "destination_table": settings.destination_table or names.destination_table,
    }
    outputs = {name: known.get(attribute, _NOT_YET) for attribute, name in OUTPUTS.items()}
    deployment = Deployment.of(DeployedStack(names, outputs=outputs), place.session, place.options)
    return replace(deployment, planned=environment(BY_ACTION[EXTRACT].function, values))
