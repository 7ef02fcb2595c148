"""The choices that a table leaves to you: asked on a terminal, and otherwise given as options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from etl.model.change_time import Format
from etl_cli.proposal.cursors import Reading, is_clear, read_as
from etl_cli.proposal.findings import records_of
from etl_cli.proposal.kinds import EntityType
from etl_cli.proposal.proposal import Findings
from etl_cli.proposal.sampling import TableDescription
from etl_cli.terminal.console import err
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.printable import shell_words

# A sample may take so many seconds of a provisioned table's read units without a question.
_UNASKED_SECONDS = 30
NONE, ALL = "none", "all"


class ChoiceError(UserError):
    """A choice is left to you, and there is no terminal to ask at."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The choices that you made by options."""

    cursor: str | None = None
    cursor_format: Format | None = None
    entity: str | None = None
    every: bool = False


def can_ask() -> bool:
    """Whether there is a terminal to ask at."""
    return sys.stdin.isatty()


def agree_to_read(table: TableDescription, units: int) -> None:
    """Ask before a sample that takes many of a provisioned table's read units.

    Raises:
        ChoiceError: there is no terminal to ask at.
        typer.Abort: the answer is no.
    """
    if not table.read_units or units <= _UNASKED_SECONDS * table.read_units:
        return
    seconds = units // table.read_units
    takes = f"The table has {table.read_units:,} read units a second, and the sample takes {seconds:,} seconds of them."
    if not can_ask():
        raise ChoiceError(f"{takes} There is no terminal to ask at.", "Give --yes, or a smaller --sample.")
    err.print(takes)
    typer.confirm("Go on?", abort=True, err=True)


def choose_type(found: Findings, answers: Answers) -> EntityType | None:
    """The type of items to read; None for all.

    Raises:
        UserError: there is no such type.
        ChoiceError: there are several, and there is no terminal to ask at.
    """
    labels = [each.label for each in found.types]
    if answers.entity is not None:
        for each in found.types:
            if answers.entity in (each.label, each.text):
                return each
        raise UserError(
            f"The sampled items have no type {answers.entity}.",
            f"Give one of {', '.join(labels)}, or --all." if labels else "They have one type only: leave --entity out.",
        )
    if answers.every or not labels:
        return None
    if not can_ask():
        raise _unasked("The table has several types of items.", "--all", "--entity", labels)
    chosen = _ask("The items to read", [*labels, ALL], default=len(labels))
    return None if chosen == len(labels) else found.types[chosen]


def choose_cursor(found: Findings, answers: Answers, entity: EntityType | None) -> Reading | None:
    """The attribute with the time of a change; None for none.

    Raises:
        UserError: the one that you chose holds no times.
        ChoiceError: several are as good, and there is no terminal to ask at.
    """
    candidates = list(found.candidates)
    if answers.cursor is not None:
        if answers.cursor == NONE:
            return None
        return read_as(answers.cursor, answers.cursor_format, records_of(found.sample, entity), found.now)
    if not candidates:
        return None
    labels = [each.time.text for each in candidates]
    if can_ask():
        chosen = _ask("The time of a change", [*labels, NONE], default=0)
        return None if chosen == len(labels) else candidates[chosen]
    if is_clear(candidates):
        return candidates[0]
    raise _unasked("Several attributes may be the time of a change.", f"--cursor {NONE}", "--cursor", labels)


def _ask(question: str, labels: Sequence[str], default: int) -> int:
    """Ask for one of several answers by its number, from 1."""
    for number, label in enumerate(labels, 1):
        err.print(f"  {number}  {label}")
    while True:
        chosen: int = typer.prompt(question, default=default + 1, type=int, err=True)
        if 1 <= chosen <= len(labels):
            return chosen - 1


def _unasked(message: str, other: str, option: str, labels: Sequence[str]) -> ChoiceError:
    return ChoiceError(
        f"{message} There is no terminal to ask at, and nothing was written.",
        f"Give {other}, or one of these:",
        remedy_lines=[shell_words(option, label) for label in labels],
    )
