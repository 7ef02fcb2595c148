"""A request as it arrived at the embedded AWS, and its refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Refusal(NamedTuple):
    """The reason for a refusal, with AWS's error code."""

    code: str
    message: str


@dataclass(frozen=True)
class Received:
    """A request as it arrived: its path percent-encoded, its headers by names in lower case, joined by commas."""

    method: str
    raw_path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    def parameter(self, name: str) -> str:
        """Return a parameter's first value. The case of its name doesn't matter."""
        return next((values[0] for given, values in self.query.items() if given.lower() == name.lower()), "")

    @property
    def session_token(self) -> str:
        """The token of a session's key."""
        return self.headers.get("x-amz-security-token") or self.parameter("x-amz-security-token")
