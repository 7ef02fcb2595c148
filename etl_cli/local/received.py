"""A request as it arrived at the embedded AWS, and why it may be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a request is refused, in the words of AWS's error codes."""

    code: str
    message: str


@dataclass(frozen=True)
class Received:
    """A request as it arrived.

    Attributes:
        raw_path: as it was sent, percent-encoded.
        query: its parameters; each may have several values.
        headers: by name in lower case; those that were sent several times are joined by commas.
    """

    method: str
    raw_path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    def parameter(self, name: str) -> str:
        """A parameter's first value, whatever the case of its name."""
        return next((values[0] for given, values in self.query.items() if given.lower() == name.lower()), "")

    @property
    def session_token(self) -> str:
        """The token that belongs to a session's key."""
        return self.headers.get("x-amz-security-token") or self.parameter("x-amz-security-token")
