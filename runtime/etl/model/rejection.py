"""The rejections: each sets one record aside, and the run continues.

RejectedError
├── UntimedError        the timestamp isn't a time: counted apart
├── TooSlowError        transform() was stopped
└── OutOfMemoryError    the record doesn't fit into a worker's memory
"""

from functools import partial
from typing import Any, Self


class RejectedError(Exception):
    """One record can't go on. It goes to quarantine, and the run continues.

    Args:
        rule: the rule that the record breaks, as a phrase that follows the field: ``expected a number >= 0``,
            ``is missing``.
        field: path of the attribute, such as ``value`` or ``tags[2].name``; empty for the whole record.
        got: the value that was found, or words for it; empty if there is nothing to show.

    Attributes:
        summary: the reason without a value or a name of the record. Only quarantine, which expires, keeps more.
    """

    summary = "a reason that only quarantine has"

    def __init__(self, rule: str, *, field: str = "", got: object = "") -> None:
        self.rule = str(rule)
        self.field = str(field)
        self.got = str(got)
        found = f", got {self.got}" if self.got else ""
        super().__init__(f"{self.field or 'record'}: {self.rule}{found}")

    @classmethod
    def of_record(cls, rule: str, got: str) -> Self:
        """Reject the whole record in the pipeline's own words."""
        error = cls(rule, got=got)
        error.summary = f"record: {rule}"
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the parts: a child process may reject a record."""
        return partial(type(self), self.rule, field=self.field, got=self.got), (), self.__dict__


class UntimedError(RejectedError):
    """The timestamp of one record isn't a time. No window is judged by this record."""


class TooSlowError(RejectedError):
    """``transform()`` took too long for one record and was stopped."""

    @classmethod
    def after(cls, seconds: int, where: str) -> Self:
        """Reject the record that was stopped after some seconds.

        Args:
            seconds: the time that one record may take.
            where: the line that was running, or other words about the place, in brackets.
        """
        return cls.of_record(f"transform() must return within {seconds} s", f"no result by then {where}")


class OutOfMemoryError(RejectedError):
    """One record, with all that becomes of it, doesn't fit into a worker's memory."""

    @classmethod
    def at(cls, size: int, where: str = "") -> Self:
        """Reject the record for which memory was too small.

        Args:
            size: bytes of JSON of the record.
            where: the line of transformation.py that asked for more memory, in brackets; empty if there is none.
        """
        rule = "must fit into a worker's memory, with everything that transform() makes of it"
        return cls.of_record(rule, f"{size:,} bytes of JSON {where}".rstrip())
