"""The schema that follows from settings."""

from etl.model.change_time import ChangeTime, parse_path
from etl.model.function_settings import OfTables
from etl.model.keys import parse_keys
from etl.model.schema import Schema
from etl.model.source_filter import parse_filter


def schema_of(settings: OfTables) -> Schema:
    """The schema as settings have it: of the source's key, they know nothing."""
    return Schema(
        destination=parse_keys(settings.destination_keys),
        time=ChangeTime(
            path=parse_path(settings.source_cursor),
            format=settings.source_cursor_format,
            zone=settings.source_cursor_zone,
            missing=settings.source_cursor_missing,
        ),
        filter=parse_filter(settings.source_filter) if settings.source_filter else None,
    )
