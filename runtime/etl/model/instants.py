"""Instants as text: ISO 8601 in UTC. Inputs of executions, options of the command and the ledger follow these rules."""

import re
from datetime import UTC, datetime

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class InstantError(ValueError):
    """A text is no instant.

    Args:
        problem: the predicate of a sentence, such as ``has no time zone``.
        remedy: an instruction, such as ``write 2026-11-01T00:00:00Z for UTC``.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem, self.remedy = problem, remedy


def parse_instant(text: str) -> datetime:
    """Parse a time with a zone, such as ``2024-01-15T10:00:00Z``, or a date, which means its midnight in UTC.

    Raises:
        InstantError: the text is neither, or has no time zone.
    """
    try:
        instant = datetime.fromisoformat(text)
        if _DATE.fullmatch(text):
            instant = instant.replace(tzinfo=UTC)
        if instant.tzinfo is None:
            plain = instant.isoformat()
            raise InstantError("has no time zone", f"write {plain}Z for UTC, or {plain}+01:00")
        return instant.astimezone(UTC)
    except InstantError:
        raise
    except (ValueError, OverflowError):
        allowed = "write 2026-11-01, 2026-11-01T02:00Z or 2026-11-01T02:00:00+01:00"
        raise InstantError("is no ISO 8601 time", allowed) from None


def format_instant(instant: datetime) -> str:
    """Format an instant in UTC: ``2026-11-23T02:00:00Z``, or in milliseconds if it isn't on a whole second."""
    precision = "milliseconds" if instant.microsecond else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
