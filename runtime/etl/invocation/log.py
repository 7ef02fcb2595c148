"""Structured logs: one JSON object a line, with facts about the work and never the contents of a record."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from etl.model.errors import EtlError, class_name

# The lines of this logger are metrics too, so they are written at every level.
INVOCATIONS = "etl.invocations"
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({})))


class JsonFormatter(logging.Formatter):
    """One log record as a line of JSON: time, level, message, the facts given as ``extra``, the error."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; a fact that JSON can't express is written as text."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Render the tracebacks of an error and of its causes.

        Only the message of an error of ours is included: any other message may quote a record.
        """
        *causes, error = reversed(list(_chain(ei[1])))
        described = f"{class_name(error)}{f': {error}' if isinstance(error, EtlError) else ''}"
        parts = [(each, class_name(each)) for each in causes] + [(error, described)]
        return "\n".join(
            f"Traceback (most recent call last):\n{''.join(traceback.format_tb(each.__traceback__))}{line}"
            for each, line in parts
        )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes, the latest first."""
    seen: list[int] = []
    while error is not None and id(error) not in seen:
        seen.append(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def configure(level: str, stream: TextIO | None = None) -> logging.Logger:
    """Send the pipeline's log lines to a stream, standard output if None. You can call this repeatedly.

    The handler is on the logger ``etl`` and not on the root. Lambda's runtime has a handler there, so each line would
    be written twice.
    """
    logger = logging.getLogger("etl")
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    logging.getLogger(INVOCATIONS).setLevel(logging.INFO)
    return logger
