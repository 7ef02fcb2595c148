"""The attribute with the time of an item's last change: its path, its format, and items without one."""

import re
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

Format = Literal["iso", "iso_offset", "iso_local", "date", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "none"]
Missing = Literal["quarantine", "include", "exclude"]

_STEP = re.compile(r"(?:[^.\\]|\\.)+")


class ChangeTime(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attribute with the time of an item's last change.

    Attributes:
        path: the attribute's name, or the names of a path into maps.
        format: the format of its values; ``none`` if the table has no such attribute.
        zone: the IANA name of the zone in which ``iso_local`` is written.
        missing: the treatment of an item without a time.
    """

    path: tuple[str, ...]
    format: Format = "iso"
    zone: str = "UTC"
    missing: Missing = "quarantine"

    @property
    def text(self) -> str:
        r"""The path as you type it: names joined by dots, a dot or a backslash within a name after a backslash."""
        return ".".join(re.sub(r"([.\\])", r"\\\1", name) for name in self.path)


def parse_path(text: str) -> tuple[str, ...]:
    r"""Parse the path of an attribute: ``audit.updated``, or ``a\.b`` for one name with a dot.

    Raises:
        ValueError: a name is empty, or a backslash precedes another character.
    """
    names = _STEP.findall(text)
    if ".".join(names) != text or re.search(r"\\[^.\\]", text.replace("\\\\", "")):
        raise ValueError(r"must be names joined by dots, with \. for a dot within a name and \\ for a backslash")
    return tuple(re.sub(r"\\(.)", r"\1", name) for name in names)


@lru_cache
def zone_of(name: str) -> ZoneInfo:
    """The time zone with an IANA name.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        raise ValueError(f"there is no time zone {name[:80]!r}: use an IANA name such as Europe/Berlin") from None
