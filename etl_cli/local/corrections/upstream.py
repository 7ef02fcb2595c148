"""The one version of ministack that is corrected."""

from __future__ import annotations

MINISTACK_VERSION = "1.5.33"


class CorrectionError(Exception):
    """The installed ministack is not the one that the corrections were written for."""


def replaced(text: str, old: str, new: str) -> str:
    """The text with `old`, which must occur exactly once, replaced by `new`."""
    if text.count(old) != 1:
        raise CorrectionError(f"ministack {MINISTACK_VERSION} does not contain once: {old}")
    return text.replace(old, new)
