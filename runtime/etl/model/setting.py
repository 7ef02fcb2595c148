"""A setting: its declaration, and the check of its values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta

_MOST_SHOWN = 80


def number(unit: str, least: int, most: int, sentence: str, because: str = "") -> Meta:
    """Declare a number.

    Args:
        unit: its unit, in the plural.
        least: the least allowed value.
        most: the greatest allowed value.
        sentence: its purpose, in Markdown.
        because: a remark on the bounds.
    """
    allowed = f"{unit} from {least} to {most}{f' ({because})' if because else ''}"
    return Meta(ge=least, le=most, description=sentence, extra={"allowed": allowed})


def percent(sentence: str) -> Meta:
    """Declare a share in percent."""
    return number("percent", 0, 100, sentence)


def says(sentence: str, allowed: str = "", check: Callable[[str], object] | None = None) -> Meta:
    """Declare a setting that isn't a number.

    Args:
        sentence: its purpose, in Markdown.
        allowed: the allowed values in words; empty if its type lists them.
        check: raises ValueError with the reason if a text isn't allowed.
    """
    return Meta(description=sentence, extra={"allowed": allowed, "check": check})


class SettingsError(ValueError):
    """A setting has a value that isn't allowed, or there is no setting of that name."""


@dataclass(frozen=True)
class Setting:
    """The declaration of a setting.

    Attributes:
        name: its name.
        kind: its type with its bounds, for msgspec.
        default: its value if you don't set it.
        sentence: its purpose, in Markdown.
        allowed: the allowed values, in words.
        check: raises ValueError with the reason if a text isn't allowed.
    """

    name: str
    kind: Any
    default: Any
    sentence: str
    allowed: str
    check: Callable[[str], object] | None = None

    @property
    def variable(self) -> str:
        """The environment variable of the functions that read it."""
        return self.name.upper()

    def parse(self, given: object, *, called: str = "", strict: bool = False) -> Any:
        """Convert and check a value.

        Args:
            given: a typed value, or its text.
            called: the setting's name in the message; its own if left out.
            strict: whether to refuse the text of a number or of a switch.

        Raises:
            SettingsError: the value isn't allowed.
        """
        value = given.strip() if isinstance(given, str) and not strict else given
        if value == "" and self.default is None and not strict:
            return None
        is_text = self.default is None or isinstance(self.default, str)
        try:
            if isinstance(value, str) and not strict and not is_text:
                return msgspec.json.decode(value, type=self.kind)
            parsed = msgspec.convert(value, self.kind)
        except (ValueError, OverflowError, RecursionError):
            raise self.refusal(given, called) from None
        if self.check and parsed is not None:
            try:
                self.check(parsed)
            except (ValueError, RecursionError) as error:
                raise self.refusal(given, called, str(error)) from None
        return parsed

    def refusal(self, given: object, called: str = "", reason: str = "") -> SettingsError:
        """The error that a value isn't allowed."""
        because = f": {reason}" if reason else ""
        return SettingsError(f"{called or self.name} must be {self.allowed}, got {_shown(given)}{because}")

    def text(self, value: object) -> str:
        """Write a value as you type it."""
        return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


def _shown(value: object) -> str:
    try:
        text = ascii(value)
    except (RecursionError, ValueError):  # levels, or digits, beyond what Python writes
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def declared(settings: type[Any]) -> Mapping[str, Setting]:
    """The settings that a dataclass declares, by name; its other fields have no annotation of ``says`` and the like."""
    return {
        each.name: _setting(each.name, each.type, each.default)
        for each in fields(settings)
        if get_origin(each.type) is Annotated
    }


def _setting(name: str, kind: Any, default: Any) -> Setting:
    bare, meta = get_args(kind)
    allowed = meta.extra["allowed"] or f"one of {', '.join(map(str, get_args(bare)))}"
    if bare in (int, float):
        allowed = f"a {'whole ' if bare is int else ''}number of {allowed}"
    return Setting(name, kind, default, meta.description, allowed, meta.extra.get("check"))
