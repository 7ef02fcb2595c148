"""The settings that the functions read: type, bounds, default, and a sentence.

The class of a setting names its readers. A function gets each of its settings in an environment variable that has the
setting's name in capitals.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from etl.model.change_time import Format, Missing, parse_path, zone_of
from etl.model.keys import parse_keys
from etl.model.limits import MOST_INLINE_WORKERS, MOST_WORKERS
from etl.model.schema import DESTINATION_KEY, TIME
from etl.model.setting import number, percent, says
from etl.model.source_filter import parse_filter

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3


@dataclass(frozen=True, kw_only=True)
class ReadByAll:
    """Settings that every function reads."""

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], says("The least level of the functions' log lines.")
    ] = "INFO"


@dataclass(frozen=True, kw_only=True)
class _ReadByStaging:
    """Settings of the functions that write staged objects: Extract and Transform."""

    part_bytes: Annotated[
        int,
        number(
            "bytes",
            _KIB,
            5 * _GIB,
            "The size at which a staged object is closed and the next one begun.",
            "1 KiB to 5 GiB",
        ),
    ] = 64 * _MIB


@dataclass(frozen=True, kw_only=True)
class OfTables:
    """Settings that describe the tables. A function has the variable of such a setting only if you set it."""

    source_cursor: Annotated[
        str,
        says(
            "The attribute with the time of an item's last change, or a path into maps such as `audit.updated`.",
            r"the name of an attribute, or names joined by dots, with \. for a dot within a name",
            parse_path,
        ),
    ] = TIME
    source_cursor_format: Annotated[
        Format,
        says("The format of that time; `none` if there is none, so that each run reads the whole table."),
    ] = "iso"
    source_cursor_zone: Annotated[
        str, says("The time zone in which `iso_local` is written.", "an IANA time zone such as Europe/Berlin", zone_of)
    ] = "UTC"
    source_cursor_missing: Annotated[Missing, says("The treatment of an item without a valid time.")] = "quarantine"
    source_filter: Annotated[
        str | None,
        says(
            "A condition of DynamoDB that picks the items to read, with its names and values; without it all are read.",
            "a filter expression with its names and values",
            parse_filter,
        ),
    ] = None
    destination_keys: Annotated[
        str,
        says(
            "The key of the destination table that the stack creates: `pk:S`, or `pk:S,sk:N` with a sort key.",
            "a partition key and perhaps a sort key, each as NAME:TYPE, such as pk:S,sk:N",
            parse_keys,
        ),
    ] = ",".join(f"{name}:S" for name in DESTINATION_KEY)


@dataclass(frozen=True, kw_only=True)
class ReadByExtract(OfTables, _ReadByStaging, ReadByAll):
    """Settings of ``etl-extract``."""

    lookback_hours: Annotated[int, number("hours", 1, 8784, "The length of the default window.")] = 24
    catch_up_days: Annotated[
        int, number("days", 1, 366, "The longest time that a run catches up on when runs before it failed.")
    ] = 30
    event_window_days: Annotated[
        int,
        number(
            "days",
            1,
            366,
            "The longest window that an event may ask for. An execution that you start may ask for more.",
        ),
    ] = 31
    lateness_minutes: Annotated[
        int,
        number("minutes", 0, 10080, "How much further back the default window reaches, for items that arrived late."),
    ] = 15
    concurrency: Annotated[
        int,
        number(
            "workers",
            1,
            MOST_WORKERS,
            f"The most workers of one stage at a time. Above {MOST_INLINE_WORKERS} the workflow has Distributed Maps.",
            "an account's functions run so many at once",
        ),
    ] = 40
    segment_bytes: Annotated[
        int,
        number(
            "bytes",
            _KIB,
            1024 * _GIB,
            "The size of table that one worker scans. A larger table gets more workers.",
            "1 KiB to 1 TiB",
        ),
    ] = 256 * _MIB


@dataclass(frozen=True, kw_only=True)
class ReadByTransform(_ReadByStaging, ReadByAll):
    """Settings of ``etl-transform``."""

    reject_threshold_percent: Annotated[
        float, percent("The share of rejected items above which a run fails before it loads anything.")
    ] = 5
    drop_threshold_percent: Annotated[
        float,
        percent(
            "The share of items for which `transform()` returns nothing above which a run fails before it loads "
            "anything; 100 allows all."
        ),
    ] = 99
    record_seconds: Annotated[
        int,
        number(
            "seconds",
            1,
            240,
            "How long `transform()` may take for one record, which then goes to quarantine.",
            "an invocation has 300",
        ),
    ] = 10


@dataclass(frozen=True, kw_only=True)
class ReadByLoad(ReadByAll):
    """Settings of ``etl-load``."""

    max_write_units_per_second: Annotated[
        int,
        number(
            "write units",
            0,
            10_000_000,
            "The ceiling of writes to the destination table, which all workers share.",
            "0 is no ceiling",
        ),
    ] = 0
