"""The settings of the stack, read from the context and from ``pipeline.toml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from etl.model.configured_schema import schema_of
from etl.model.limits import MOST_INLINE_WORKERS
from etl.model.names import SPECIFIED, Names
from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS, Settings
from etl.model.settings_sources import check_name, configured, parse, pipeline_folder, pipelines_of
from etl.model.table_access import check_tables
from etl.tables.change_time import EVER, bounds
from etl.tables.selection import check_length, selection

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class PipelineSettings(Settings):
    """The checked settings of a stack.

    Attributes:
        name: the pipeline's name.

    Raises:
        SettingsError: a value isn't allowed.
    """

    name: str = SPECIFIED

    @property
    def names(self) -> Names:
        """The names of the resources."""
        return Names(self.name, self.stage)

    @property
    def folder(self) -> str:
        """The folder of your code, in the checkout."""
        return f"{self.pipelines}/{self.name}"

    @property
    def distributed(self) -> bool:
        """Whether the workers are too many for an inline Map."""
        return self.concurrency > MOST_INLINE_WORKERS

    def __post_init__(self) -> None:
        """Check every value, and the length of the filter that they make."""
        check_name(self.name)
        for name in SETTINGS:
            parse(name, getattr(self, name), of=self.name, strict=True)
        pipeline_folder(self.pipelines, self.name, CHECKOUT)
        check_tables(self.source, self.destination, own=self.names.tables)
        if self.destination.table and self.destination_keys != SETTINGS["destination_keys"].default:
            raise SettingsError(
                "destination_keys is the key of a table that the stack creates, and destination_table names one that "
                "exists, of which Plan reads the key: leave one of them out."
            )
        try:
            check_length(selection(schema_of(self), bounds(*EVER, EVER[-1])))
        except ValueError as error:
            raise SettingsError(str(error)) from None

    @classmethod
    def from_context(
        cls, context: Mapping[str, object], checkout: Path = CHECKOUT, *, pipeline: str = SPECIFIED
    ) -> Self:
        """Read the context keys ``PIPELINE:SETTING`` and the pipeline's ``pipeline.toml``.

        Raises:
            SettingsError: a value isn't allowed, or there is no such setting.
        """
        return cls(name=pipeline, **configured(context, checkout, pipeline))


def other_pipelines(context: Mapping[str, object], checkout: Path = CHECKOUT) -> list[Names]:
    """The names of the checkout's pipelines but for the specification's, which ``app.py`` names itself.

    Raises:
        SettingsError: a folder's name can't be a pipeline's, or the context has a setting of no pipeline.
    """
    return [Names(name) for name in pipelines_of(context, checkout) if name != SPECIFIED]
