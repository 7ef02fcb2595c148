"""Typer for this command: help has examples and exit codes, fits the terminal, and shows no type of Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import cleandoc
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from etl_cli.terminal.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_READER_GONE, EXIT_UNWRITABLE

EXITS = {
    0: "done",
    EXIT_FAILED: "failed, or there is something to do; the output says what",
    2: "wrong usage",
    EXIT_UNWRITABLE: "the output can't be written: the disk may be full",
    129: "hung up",
    EXIT_INTERRUPTED: "interrupted",
    EXIT_READER_GONE: "the program that reads the output has ended, such as head",
    143: "terminated",
}

_Verb = TypeVar("_Verb", bound=Callable[..., Any])
_epilogs: dict[Callable[..., Any], str] = {}


def verb(*, examples: Sequence[str], exits: Mapping[int, str] | None = None) -> Callable[[_Verb], _Verb]:
    """Describe a function that is a verb: lines to type, and exit codes whose meanings differ from `EXITS`."""

    def described(function: _Verb) -> _Verb:
        own = [f"{_exit_codes(exits)}.  The others: etl --help"] if exits else []
        _epilogs[function] = "\n\n".join([*own, "Examples:", *examples])
        return function

    return described


class _PlainHelp:
    """The help of a command and of a group alike; it stands before Typer's class among the bases."""

    def __init__(self, *args: Any, help: str | None = None, **options: Any) -> None:  # noqa: A002 - as Typer calls it
        super().__init__(*args, help=_reflowed(help), **options)  # type: ignore[call-arg]  # Typer's class takes it

    def get_params(self, ctx: Any) -> Any:
        return _in_plain_words(super().get_params(ctx))  # type: ignore[misc]  # Typer's class has it


class _Command(_PlainHelp, TyperCommand):
    pass


class _Group(_PlainHelp, TyperGroup):
    pass


class Commands(typer.Typer):
    """A command that has verbs. The help of the command itself has all exit codes."""

    def __init__(self, help: str, exits: Mapping[int, str] | None = None) -> None:  # noqa: A002 - as Typer calls it
        super().__init__(
            help=help,
            epilog=_exit_codes(exits) if exits else None,
            cls=_Group,
            no_args_is_help=True,
            pretty_exceptions_enable=False,
            rich_markup_mode="rich",
        )

    def add(self, *verbs: Callable[..., Any], panel: str | None = None) -> None:
        """Add verbs, each a function described by `verb`, to a panel of the help."""
        for function in verbs:
            name = function.__name__.strip("_")  # `list_` is the verb list
            self.command(name, cls=_Command, epilog=_epilogs[function], rich_help_panel=panel)(function)


def _exit_codes(exits: Mapping[int, str]) -> str:
    return "Exit codes:  " + "  ·  ".join(f"{code} {meaning}" for code, meaning in sorted(exits.items()))


def _reflowed(text: str | None) -> str | None:
    """Join the lines of each paragraph: Typer does so for the first one only."""
    return text and "\n\n".join(" ".join(paragraph.split()) for paragraph in cleandoc(text).split("\n\n"))


def _in_plain_words(parameters: list[Any]) -> list[Any]:
    """Replace the names of Python's types: `<bool>` after a flag, which takes no value, `<int range>`, `<str>`."""
    for parameter in parameters:
        if parameter.type_descriptor.is_choice:
            continue
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda **_: None  # its name is shown already
        elif parameter.metavar is None:
            is_number = parameter.type_descriptor.annotation is int
            parameter.metavar = "" if parameter.is_flag else "NUMBER" if is_number else "TEXT"
    return parameters
