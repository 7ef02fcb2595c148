"""Lambda's REPORT line of an invocation that failed: since 2026 the only line that tells of a time-out or a death."""

from __future__ import annotations

import re
from typing import NamedTuple

_FAILED = re.compile(
    r"REPORT RequestId: [^\t]*\t(?P<facts>.*)\bStatus: (?P<status>timeout|error)\b(?P<rest>.*)", re.DOTALL
)
_ERROR_TYPE = re.compile(r"\bError Type: ([\w.]+)")
_MEMORY = re.compile(r"\bMemory Size: (\d+ MB)")


class End(NamedTuple):
    """How an invocation ended that failed.

    Attributes:
        error: the error's name; empty where Lambda doesn't tell it.
        words: the same in words.
    """

    error: str
    words: str


def end_of(text: str) -> End | None:
    """How an invocation ended, by its REPORT line; None for any other line, and for an invocation that went well."""
    found = _FAILED.match(text)
    if found is None:
        return None
    if found["status"] == "timeout":
        return End("Sandbox.Timedout", "stopped by Lambda: its time was up")
    named, memory = _ERROR_TYPE.search(found["rest"]), _MEMORY.search(found["facts"])
    error = named[1] if named else ""
    if error == "Runtime.OutOfMemory":
        return End(error, f"killed by Lambda: it took more than its {memory[1] if memory else 'memory'}")
    if error == "Runtime.ExitError":
        return End(error, "its process ended, or was killed")
    return End(error, f"failed with {error or 'an error'}")
