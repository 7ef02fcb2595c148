"""A copy of a pipeline of the checkout for another table: its code and its settings, but for the tables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from etl.model.settings_sources import FILE
from etl_cli.proposal.folder import shown
from etl_cli.proposal.toml_source import toml_text
from etl_cli.terminal.errors import UserError

_OF_TABLES = ("source_table", "source_kms_key_arn", "source_role_arn", "source_role_external_id")
_LINE = re.compile(r"\s*(?P<name>[A-Za-z_]+)\s*=")
_TABLE = re.compile(r"\s*\[(?P<name>[^\]\n]+)\]")


def copied_files(folder: Path, source: str, destination: str | None) -> dict[str, str]:
    """The files of a pipeline's folder, with other tables in its settings.

    Args:
        folder: the folder to copy.
        source: the table to read.
        destination: a table to write; None for the one that the settings have.

    Raises:
        UserError: a file can't be read, or the settings can't be changed line by line.
    """
    if not folder.is_dir():
        raise UserError(f"There is no pipeline {folder.name} in this checkout: there is no {shown(folder)}.")
    found: dict[str, str] = {}
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                found[str(path.relative_to(folder))] = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{shown(folder)} can't be copied: {error}.") from None
    tables = {"source_table": source, **({"destination_table": destination} if destination else {})}
    found[FILE] = with_tables(found.get(FILE, "[settings]\n"), tables)
    return found


def with_tables(text: str, tables: Mapping[str, str]) -> str:
    """The text of a pipeline.toml with other tables. Keys and roles of the former source, in any stage, are left out.

    Raises:
        UserError: it can't be changed line by line.
    """
    dropped = {name for name in _OF_TABLES if name not in tables} if "source_table" in tables else set()
    dropped |= {"destination_keys"} if "destination_table" in tables else set()
    lines = list(_changed(text.splitlines(), set(tables) | dropped))
    at = next((number for number, line in enumerate(lines, 1) if _name_of_table(line) == "settings"), 0)
    if not at:
        lines, at = ["[settings]", *lines], 1
    lines[at:at] = [f"{name} = {toml_text(table)}" for name, table in tables.items()]
    changed = "\n".join(lines) + "\n"
    if _document(changed) != _expected(_document(text), tables, dropped):
        raise UserError(f"The tables in {FILE} can't be changed line by line.", "Copy the folder, and edit the file.")
    return changed


def _changed(lines: Iterable[str], names: set[str]) -> Iterable[str]:
    """The lines without the settings of these names, in any table."""
    for line in lines:
        found = _LINE.match(line)
        if not found or found["name"] not in names:
            yield line


def _name_of_table(line: str) -> str:
    found = _TABLE.match(line)
    return found["name"].strip() if found else ""


def _document(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{FILE} can't be read: {error}.", "Correct it first.") from None


def _expected(document: dict[str, Any], tables: Mapping[str, str], dropped: set[str]) -> dict[str, Any]:
    names = set(tables) | dropped

    def without(settings: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name not in names}

    stages = {name: without(each) for name, each in document.get("stage", {}).items()}
    return {
        **document,
        "settings": {**without(document.get("settings", {})), **tables},
        **({"stage": stages} if "stage" in document else {}),
    }
