"""The places where you set a setting: ``-c``, ``cdk.json`` and the ``pipeline.toml`` next to your code.

The functions don't import this module: they get their settings from their environment.
"""

import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etl.model.schedule import is_schedule
from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS

CONTEXT_PREFIX = "etl:"
TRANSFORMATION = "transformation.py"
FILE = "pipeline.toml"
"""Its table ``[settings]`` has the settings of one pipeline."""

_MOST_SHOWN = 80
_WITH_TABLES = frozenset({"source_filter"})
"""Settings whose text is JSON: they may be a table of TOML, or an object in ``cdk.json``."""


def cdk_context(checkout: Path) -> dict[str, Any]:
    """The context in a checkout's ``cdk.json``."""
    found: dict[str, Any] = json.loads((checkout / "cdk.json").read_bytes()).get("context", {})
    return found


def configured(context: Mapping[str, object], checkout: Path) -> dict[str, Any]:
    """The settings that are set; ``-c`` and ``cdk.json`` win over ``pipeline.toml``.

    Args:
        context: CDK's context; keys other than ``etl:<setting>`` are somebody else's.
        checkout: the folder that has the pipeline's folder.

    Raises:
        SettingsError: a value isn't allowed, or there is no such setting.
    """
    given = {
        key.removeprefix(CONTEXT_PREFIX): value for key, value in context.items() if key.startswith(CONTEXT_PREFIX)
    }
    folder = pipeline_folder(parse("pipeline", given.get("pipeline", SETTINGS["pipeline"].default)), checkout)
    return {name: parse(name, value) for name, value in {**_table(folder / FILE), **given}.items()}


def pipeline_folder(pipeline: str, checkout: Path) -> Path:
    """The folder of the setting ``pipeline``.

    Raises:
        SettingsError: it is outside of the checkout, or has no transformation.
    """
    try:
        folder = (checkout / pipeline).resolve()
        if folder.is_relative_to(checkout.resolve()) and (folder / TRANSFORMATION).is_file():
            return folder
    except (OSError, ValueError):  # no name that a file can have
        pass
    raise _explained("pipeline", SETTINGS["pipeline"].refusal(pipeline))


def parse(name: str, value: object, *, strict: bool = False) -> Any:
    """Convert and check the value of a setting.

    Args:
        name: the setting's name.
        value: a typed value, or its text.
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
        raise _explained(name, error) from None
    return parsed


def _json(table: Mapping[str, object]) -> object:
    """The JSON of a table; the table itself if it has values that JSON lacks."""
    try:
        return json.dumps(table, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return table


def _explained(name: str, error: SettingsError) -> SettingsError:
    setting = SETTINGS[name]
    default = "nothing" if setting.default is None else setting.text(setting.default)
    return SettingsError(
        f'{error}. Set it with `-c {CONTEXT_PREFIX}{name}=VALUE`, in "context" of cdk.json, or below [settings] in the '
        f"pipeline's {FILE}; or leave it out: the default is {default}."
    )


def _table(file: Path) -> Mapping[str, object]:
    """The settings of a ``pipeline.toml``, if there is one."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise SettingsError(f"{file} can't be read: {error}. Correct it, or delete it.") from None
    table = document.pop("settings", {})
    if document or not isinstance(table, dict):
        raise SettingsError(f"{file} must have the table [settings] and nothing else, got {', '.join(document)}.")
    if "pipeline" in table:
        raise SettingsError(f"{file} can't set pipeline, the folder that it is in: delete that line.")
    return table


def _unknown(name: str) -> str:
    name = name[:_MOST_SHOWN]
    nearest = difflib.get_close_matches(name, SETTINGS, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else "."
    return f"There is no setting {name}{hint} The settings are: {', '.join(SETTINGS)}."
