"""The settings of the stack, read from the context and from ``pipeline.toml``."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from etl.model.limits import MOST_INLINE_WORKERS
from etl.model.setting import SettingsError
from etl.model.settings import Settings
from etl.model.settings_sources import configured, parse, pipeline_folder
from etl.settings import schema_of
from etl.tables.change_time import EVER, bounds
from etl.tables.selection import check_length, selection

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class PipelineSettings(Settings):
    """The checked settings of a stack.

    Raises:
        SettingsError: a value isn't allowed.
    """

    @property
    def distributed(self) -> bool:
        """Whether the workers are too many for an inline Map."""
        return self.concurrency > MOST_INLINE_WORKERS

    def __post_init__(self) -> None:
        """Check every value, and the length of the filter that they make."""
        for each in fields(self):
            parse(each.name, getattr(self, each.name), strict=True)
        pipeline_folder(self.pipeline, CHECKOUT)
        try:
            check_length(selection(schema_of(self), bounds(*EVER, EVER[-1])))
        except ValueError as error:
            raise SettingsError(str(error)) from None

    @classmethod
    def from_context(cls, context: Mapping[str, object], checkout: Path = CHECKOUT) -> Self:
        """Read the context keys ``etl:<setting>`` and the pipeline's ``pipeline.toml``.

        Raises:
            SettingsError: a value isn't allowed, or there is no such setting.
        """
        return cls(**configured(context, checkout))
