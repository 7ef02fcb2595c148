"""The declaration of an aggregate: what to add up over the records of a run, by group."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from etl.model.errors import TransformationError
from etl.model.schema import Schema

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
        self._check_names({"records"})
        for attribute, functions in self.of.items():
            unknown = [functions] if isinstance(functions, str) else [f for f in functions if f not in _FUNCTIONS]
            if unknown:
                raise TransformationError(
                    f"aggregate {self.name}: of[{attribute!r}] must be a list of {', '.join(_FUNCTIONS)}, got {unknown}"
                )

    def check_loadable(self, schema: Schema) -> None:
        """Check that its groups can be loaded, if they shall be.

        Raises:
            TransformationError: a group has an attribute of the destination's key, or the key isn't text.
        """
        if not self.load:
            return
        self._check_names(set(schema.destination_names))
        for attribute in schema.destination:
            if attribute.type != "S":
                raise TransformationError(
                    f"aggregate {self.name}: load=True needs a destination whose key is text, and {attribute.name} is "
                    f"of type {attribute.type}: leave load out, and read the aggregates in the run's report"
                )

    def _check_names(self, reserved: set[str]) -> None:
        taken = reserved & set(self.by)
        if taken:
            raise TransformationError(
                f"aggregate {self.name}: by can't name {', '.join(sorted(taken))}, since its own records have that: "
                "let transform() add the same under another name"
            )
