"""The attribute with the time of an item's last change: its path, its format, and items without one."""

import re
from datetime import timezone, tzinfo
from functools import lru_cache
from typing import Literal

import msgspec

Format = Literal["iso", "iso_offset", "iso_local", "date", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "none"]
UTC = "UTC"
Missing = Literal["quarantine", "include", "exclude"]

MOST_STEPS = 6
"""The longest path: the filter of a window names it in each of some 90 conditions, and DynamoDB takes 4 KB."""

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
    zone: str = UTC
    missing: Missing = "quarantine"

    @property
    def text(self) -> str:
        r"""The path as you type it: names joined by dots, a dot or a backslash within a name after a backslash."""
        return ".".join(re.sub(r"([.\\])", r"\\\1", name) for name in self.path)


def parse_path(text: str) -> tuple[str, ...]:
    r"""Parse the path of an attribute: ``audit.updated``, or ``a\.b`` for one name with a dot.

    Raises:
        ValueError: a name is empty, a backslash precedes another character, or there are too many names.
    """
    names = _STEP.findall(text)
    if not names or ".".join(names) != text or re.search(r"\\[^.\\]", text.replace("\\\\", "")):
        raise ValueError(r"write names joined by dots, with \. for a dot within a name and \\ for a backslash")
    if len(names) > MOST_STEPS:
        raise ValueError(f"it has {len(names)} names, and a path has at most {MOST_STEPS}")
    return tuple(re.sub(r"\\(.)", r"\1", name) for name in names)


@lru_cache
def zone_of(name: str) -> tzinfo:
    """The time zone with an IANA name.

    Raises:
        ValueError: there is none.
    """
    if name == UTC:
        return timezone.utc  # noqa: UP017 - UTC is the name here
    # Not at every cold start. The functions' zip has the data of zones, if a setting needs them: not every runtime of
    # Lambda has it (github.com/aws/aws-lambda-dotnet/issues/1620).
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        raise ValueError(f"there is no time zone {name[:80]!r}: use an IANA name such as Europe/Berlin") from None
