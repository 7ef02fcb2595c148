"""The pipelines of this checkout, as a deployment into the local environment finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl.model.names import SPECIFIED, Names
from etl.model.setting import SettingsError
from etl.model.settings_sources import cdk_context, configured, pipelines_of
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT


def checkout_pipelines(context: Mapping[str, str], chosen: str | None) -> tuple[list[Names], dict[str, str]]:
    """The pipelines of this checkout to deploy, and the context that chooses their stage too.

    Args:
        context: values of the CDK's context.
        chosen: the beginning of a pipeline's names, with its stage; None for all pipelines.

    Raises:
        UserError: there is no such pipeline, or a setting is wrong.
    """
    key, context = f"{SPECIFIED}:stage", dict(context)
    try:
        values = {**cdk_context(ROOT), **context}
        if chosen is None:
            folders = pipelines_of(values, ROOT)
            return [Names(each, configured(values, ROOT, each).get("stage")) for each in folders], context
        pipeline = checkout_pipeline(values, chosen)
        if pipeline is None:
            folders = pipelines_of(values, ROOT)
            raise UserError(f"There is no pipeline {chosen} in this checkout: there is {', '.join(folders)}.")
    except SettingsError as error:
        raise UserError(str(error)) from None
    names, _ = pipeline
    if names.prefix != chosen and key not in context:
        raise UserError(
            f"The pipeline {chosen} would be {names.prefix} here, since a file sets {key}={names.stage}.",
            f"Write --pipeline {names.prefix}.",
        )
    return [names], context | ({key: names.stage} if names.stage and names.prefix == chosen else {})


def checkout_pipeline(values: Mapping[str, object], chosen: str) -> tuple[Names, dict[str, Any]] | None:
    """The names of a chosen pipeline of this checkout, with its stage, and its settings; None if there is none.

    Args:
        values: the whole context.
        chosen: the beginning of its names. Its stage wins over that of the context.

    Raises:
        SettingsError: a setting is wrong.
    """
    folders = pipelines_of(values, ROOT)
    for names in Names.beginning(chosen):
        if names.pipeline in folders:
            stage = {f"{SPECIFIED}:stage": names.stage} if names.stage else {}
            settings = configured({**values, **stage}, ROOT, names.pipeline)
            return names._replace(stage=settings.get("stage")), settings
    return None
