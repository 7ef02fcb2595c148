"""A pipeline of this checkout that isn't deployed yet: its settings and its table are there, and no stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

from etl.model.names import SPECIFIED, Names
from etl.model.setting import SettingsError
from etl.model.settings import Settings
from etl.model.settings_sources import cdk_context, configured, pipelines_of
from etl.model.stages import BY_ACTION, EXTRACT
from etl.settings import environment
from etl_cli.aws.deployment import Deployment
from etl_cli.aws.place import Place
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
    settings, names = _of_checkout(context, chosen or SPECIFIED)
    if settings is None or settings.source_table is None:
        return None
    destination = settings.destination_table or names.destination_table
    values = asdict(settings) | {
        "staging_bucket": _NOT_YET,
        "stores": _NOT_YET,
        "ledger_table": names.ledger_table,
        "existing_source": settings.source_table,
        "existing_destination": settings.destination_table,
    }
    return Deployment(
        source_table=settings.source_table,
        destination_table=destination,
        staging_bucket=_NOT_YET,
        state_machine=_NOT_YET,
        dynamodb=place.session.client("dynamodb", **place.options),
        s3=place.session.client("s3", **place.options),
        stepfunctions=place.session.client("stepfunctions", **place.options),
        client=partial(place.session.client, **place.options),
        names=names,
        planned=environment(BY_ACTION[EXTRACT].function, values),
    )


def _of_checkout(context: Mapping[str, str], chosen: str) -> tuple[Settings | None, Names]:
    """The settings of a pipeline of this checkout, None if there is none, and its names with their stage."""
    values = {**cdk_context(ROOT), **context}
    try:
        folders = pipelines_of(values, ROOT)
        for names in Names.beginning(chosen):
            if names.pipeline in folders:
                stage = {f"{SPECIFIED}:stage": names.stage} if names.stage else {}
                settings = Settings(**configured({**values, **stage}, ROOT, names.pipeline))
                return settings, names._replace(stage=settings.stage)
    except SettingsError as error:
        raise UserError(str(error)) from None
    return None, Names(chosen)
