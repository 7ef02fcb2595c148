"""The places where you set a setting: ``-c``, ``cdk.json`` and the ``pipeline.toml`` next to your code.

The functions don't import this module: they get their settings from their environment.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etl.model.names import SPECIFIED, Names
from etl.model.schedule import is_schedule
from etl.model.setting import SettingsError
from etl.model.settings import OF_APP, SETTINGS, Settings

PIPELINES = SETTINGS["pipelines"].default
"""The folder of the pipelines, if the setting doesn't name another."""

TRANSFORMATION = "transformation.py"
FILE = "pipeline.toml"
"""Its table ``[settings]`` has the settings of one pipeline, and ``[stage.dev]`` those of its stage ``dev``."""

# A stack's name begins with a letter (CloudFormation user guide, "Stack name"). Without double hyphens, capitals at the
# hyphens' places are reversible.
_NAME = re.compile(r"(?=.{1,15}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
# The CDK's own context has keys such as aws:cdk:bundling-stacks.
_RESERVED = "aws"
# No bucket's name may begin like this (S3 user guide, "General purpose bucket naming rules").
_RESERVED_BEGINNINGS = ("amzn-s3-demo-", "sthree-")
_MOST_SHOWN = 80
_WITH_TABLES = frozenset({"source_filter"})
"""Settings whose text is JSON: they may be a table of TOML, or an object in ``cdk.json``."""


def cdk_context(checkout: Path) -> dict[str, Any]:
    """The context in ``~/.cdk.json`` and in a checkout's ``cdk.json``, which wins, as the CDK CLI reads them.

    Raises:
        SettingsError: a file can't be read.
    """
    found: dict[str, Any] = {}
    # Without a home, expanduser leaves the path as it is.
    for file in (Path(os.path.expanduser("~/.cdk.json")), checkout / "cdk.json"):  # noqa: PTH111
        try:
            found |= json.loads(file.read_bytes()).get("context", {})
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise SettingsError(f"{file} can't be read: {error}. Correct it.") from None
    return found


def configured(context: Mapping[str, object], checkout: Path, pipeline: str = SPECIFIED) -> dict[str, Any]:
    """The settings that are set for a pipeline; ``-c`` and ``cdk.json`` win over ``pipeline.toml``.

    Args:
        context: CDK's context; keys other than ``PIPELINE:SETTING``, and ``etl:SETTING`` for a setting of the whole
            app, are somebody else's.
        checkout: the folder that has the pipelines' folder.
        pipeline: the pipeline's name.

    Raises:
        SettingsError: a value isn't allowed, or there is no such setting.
    """
    of_app = app_settings(context)
    given = {
        name: value for name, value in _given(context, pipeline).items() if pipeline != SPECIFIED or name not in OF_APP
    }
    for name in OF_APP.keys() & given.keys():
        raise SettingsError(f"{name} is a setting of the whole app: set {SPECIFIED}:{name}, not {pipeline}:{name}.")
    folder = pipeline_folder(of_app.get("pipelines", PIPELINES), pipeline, checkout)
    table = _table(folder / FILE, of_app.get("stage"))
    return of_app | {name: parse(name, value, of=pipeline) for name, value in {**table, **given}.items()}


def schema_settings(folder: Path) -> Settings:
    """The settings of a pipeline's folder alone, in no stage, for what describes its tables.

    Raises:
        SettingsError: a value isn't allowed, or there is no such setting.
    """
    return Settings(**{name: parse(name, value, of=folder.name) for name, value in _table(folder / FILE, None).items()})


def pipelines_of(context: Mapping[str, object], checkout: Path) -> list[str]:
    """The names of a checkout's pipelines: the folders that have a transformation or settings.

    Raises:
        SettingsError: a folder's name can't be a pipeline's, or two pipelines would have the same names in this stage,
            or the context has a setting of a pipeline that doesn't exist, or there is none.
    """
    of_app = app_settings(context)
    pipelines, stage = of_app.get("pipelines", PIPELINES), of_app.get("stage")
    folder = _inside(pipelines, checkout)
    names = sorted({each.parent.name for file in (TRANSFORMATION, FILE) for each in folder.glob(f"[!.]*/{file}")})
    if not names:
        raise _explained("pipelines", SETTINGS["pipelines"].refusal(pipelines), SPECIFIED)
    for name in names:
        check_name(name)
        twin = Names(name, stage).prefix
        if stage and twin in names:
            raise SettingsError(
                f"In the stage {stage} the pipeline {name} would have the names of the pipeline {twin}: rename the "
                f"folder {folder / twin}, or the stage."
            )
    for key in context:
        name, _, setting = key.partition(":")
        of_all = name == SPECIFIED and setting in OF_APP
        if setting in SETTINGS and name not in names and not of_all:
            raise SettingsError(f"{key} is set, but there is no pipeline {name}: there is {', '.join(names)}.")
    return names


def check_name(pipeline: str) -> None:
    """Refuse a name that can't be the beginning of all names.

    Raises:
        SettingsError: the name isn't allowed.
    """
    reserved = pipeline == _RESERVED or f"{pipeline}-".startswith(_RESERVED_BEGINNINGS)
    if _NAME.match(pipeline) and not reserved:
        return
    raise SettingsError(
        "A pipeline's name must be 1 to 15 lower-case letters, digits and hyphens; it begins with a letter, a hyphen "
        f"is between two of the others, it isn't {_RESERVED}, and doesn't begin with "
        f"{' or '.join(_RESERVED_BEGINNINGS)}. Got {pipeline[:_MOST_SHOWN]!a}: rename its folder."
    )


def pipeline_folder(pipelines: str, pipeline: str, checkout: Path) -> Path:
    """The folder of a pipeline.

    Args:
        pipelines: the setting of that name.
        pipeline: the pipeline's name.
        checkout: the folder in which the folder of pipelines must be.

    Raises:
        SettingsError: it is outside of the checkout, or has no transformation.
    """
    parent = _inside(pipelines, checkout)
    folder = (parent / pipeline).resolve()
    if folder.parent == parent and (folder / TRANSFORMATION).is_file():
        return folder
    if folder.parent == parent and folder.is_dir():
        raise SettingsError(f"The pipeline {pipeline} has no {TRANSFORMATION}: write {folder / TRANSFORMATION}.")
    raise _explained("pipelines", SETTINGS["pipelines"].refusal(pipelines), SPECIFIED)


def _inside(pipelines: str, checkout: Path) -> Path:
    """The folder of the pipelines, in the checkout."""
    try:
        folder = (checkout / pipelines).resolve()
        if folder.is_relative_to(checkout.resolve()) and folder.is_dir():
            return folder
    except (OSError, ValueError):  # no name that a file can have
        pass
    raise _explained("pipelines", SETTINGS["pipelines"].refusal(pipelines), SPECIFIED)


def app_settings(context: Mapping[str, object]) -> dict[str, Any]:
    """The settings of the whole app that are set.

    Raises:
        SettingsError: a value isn't allowed.
    """
    return {name: parse(name, value) for name, value in _given(context, SPECIFIED).items() if name in OF_APP}


def _given(context: Mapping[str, object], pipeline: str) -> dict[str, object]:
    """The settings that the context has for a pipeline, by name."""
    prefix = f"{pipeline}:"
    return {key.removeprefix(prefix): value for key, value in context.items() if key.startswith(prefix)}


def parse(name: str, value: object, *, of: str = SPECIFIED, strict: bool = False) -> Any:
    """Convert and check the value of a setting.

    Args:
        name: the setting's name.
        value: a typed value, or its text.
        of: the pipeline, for the message.
        strict: whether to refuse the text of a number or of a switch.

    Raises:
        SettingsError: the value isn't allowed, or there is no such setting; the message says how to set it.
    """
    setting = SETTINGS.get(name)
    if setting is None:
        raise SettingsError(_unknown(name))
    if name in _WITH_TABLES and isinstance(value, Mapping) and not strict:
        value = _json(value)
    try:
        parsed = setting.parse(value, strict=strict)
        if name == "schedule" and parsed is not None and not is_schedule(parsed):
            raise setting.refusal(value)
    except SettingsError as error:
        raise _explained(name, error, of) from None
    return parsed


def _json(table: Mapping[str, object]) -> object:
    """The JSON of a table; the table itself if it has values that JSON lacks."""
    try:
        return json.dumps(table, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return table


def _explained(name: str, error: SettingsError, pipeline: str) -> SettingsError:
    setting = SETTINGS[name]
    default = "nothing" if setting.default is None else setting.text(setting.default)
    file = "" if name in OF_APP else f", or below [settings] in the pipeline's {FILE}"
    return SettingsError(
        f'{error}. Set it with `-c {pipeline}:{name}=VALUE`{"," if file else " or"} in "context" of cdk.json{file}; '
        f"or leave it out: the default is {default}."
    )


def _table(file: Path, stage: str | None) -> Mapping[str, object]:
    """The settings of a ``pipeline.toml``, if there is one; those of the stage win."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    # TOMLDecodeError and UnicodeDecodeError are ValueErrors. Arrays may be nested too deeply.
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{file} can't be read: {error}. Correct it, or delete it.") from None
    table, stages = document.pop("settings", {}), document.pop("stage", {})
    tables = [table, *stages.values()] if isinstance(stages, dict) else [stages]
    if document or not all(isinstance(each, dict) for each in tables):
        raise SettingsError(
            f"{file} must have the table [settings], tables such as [stage.dev], and nothing else, got "
            f"{', '.join(document) or 'a value in place of a table'}."
        )
    for name in OF_APP:
        if any(name in each for each in tables):
            raise SettingsError(
                f"{file} can't set {name}, which is the same for all pipelines: delete that line, and set "
                f"`{SPECIFIED}:{name}` with `-c` or in cdk.json."
            )
    for name, settings in stages.items():  # a mistake in one stage shouldn't wait for that stage's deployment
        parse("stage", name)
        for each, value in settings.items():
            parse(each, value)
    return {**table, **stages.get(stage, {})}


def _unknown(name: str) -> str:
    name = name[:_MOST_SHOWN]
    nearest = difflib.get_close_matches(name, SETTINGS, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else "."
    return f"There is no setting {name}{hint} The settings are: {', '.join(SETTINGS)}."
