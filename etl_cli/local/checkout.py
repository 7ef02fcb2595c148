"""The pipelines of this checkout, as a deployment into the local environment finds them."""

from __future__ import annotations

from collections.abc import Mapping

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
        folders = pipelines_of(values, ROOT)
        for names in Names.beginning(chosen) if chosen else ():
            if names.pipeline in folders:
                stage = {key: names.stage} if names.stage else {}
                found = Names(names.pipeline, configured(values | stage, ROOT, names.pipeline).get("stage"))
                if found.prefix != chosen and key not in context:
                    raise UserError(
                        f"The pipeline {chosen} would be {found.prefix} here, since a file sets {key}={found.stage}.",
                        f"Write --pipeline {found.prefix}.",
                    )
                return [found], context | stage
        if chosen:
            raise UserError(f"There is no pipeline {chosen} in this checkout: there is {', '.join(folders)}.")
        return [Names(each, configured(values, ROOT, each).get("stage")) for each in folders], context
    except SettingsError as error:
        raise UserError(str(error)) from None
