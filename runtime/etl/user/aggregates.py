"""The declaration of an aggregate: what to add up over the records of a run, by group."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from etl.model.errors import TransformationError
from etl.model.schema import DESTINATION_KEY

_FUNCTIONS = ("count", "sum", "min", "max", "avg")


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """Numbers to add up over the records of a run.

    Attributes:
        name: its name in the run's report.
        by: attributes whose values make a group; none for one group of all records.
        of: functions by attribute, such as ``{"value": ("sum", "avg")}``. The number of records of a group is
            always there, as ``records``.
        load: whether each group is also loaded, as a record of its own.
    """

    name: str
    by: Sequence[str] = ()
    of: dict[str, Sequence[str]] = field(default_factory=dict)
    load: bool = False

    def __post_init__(self) -> None:
        """Check the rules that a type can't express."""
        if isinstance(self.by, str):
            raise TransformationError(f'aggregate {self.name}: by must be a list of attributes, got "{self.by}"')
        taken = {"records", *(DESTINATION_KEY if self.load else ())} & set(self.by)
        if taken:
            raise TransformationError(
                f"aggregate {self.name}: by can't name {', '.join(sorted(taken))}, since its own records have that: "
                "let transform() add the same under another name"
            )
        for attribute, functions in self.of.items():
            unknown = [functions] if isinstance(functions, str) else [f for f in functions if f not in _FUNCTIONS]
            if unknown:
                raise TransformationError(
                    f"aggregate {self.name}: of[{attribute!r}] must be a list of {', '.join(_FUNCTIONS)}, got {unknown}"
                )
