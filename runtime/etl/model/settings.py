"""The settings of a pipeline, each declared once: type, bounds, default, and a sentence.

The class of a setting names its readers. A function gets each of its settings in an environment variable that has the
setting's name in capitals. Everything else follows from the declaration: the check and its message, the variables,
the table in README.md, and ``etl settings``.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from etl.model.limits import MOST_INLINE_WORKERS
from etl.model.setting import declared, number, percent, says

MOST_WORKERS = 1000
"""The default quota of concurrent executions of an account (Lambda developer guide, "Lambda quotas"). The state of an
execution, 256 KiB, holds this many segments (Step Functions developer guide, "Quotas")."""

DAILY = "cron(0 2 * * ? *)"
"""The schedule of a pipeline whose setting ``schedule`` isn't set."""

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3

_Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+\Z")]
# Source: CloudWatch Logs API reference, PutRetentionPolicy.
_LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


@dataclass(frozen=True, kw_only=True)
class ReadByStack:
    """Settings of the stack's resources, which no function reads."""

    pipeline: Annotated[str, says("The folder of your code.", "a folder in the checkout with transformation.py")] = (
        "pipelines/etl"
    )
    schedule: Annotated[
        str | None,
        says(
            "When runs start, in UTC, such as `rate(6 hours)` or `cron(0 4 * * ? *)`; without it at 02:00 every day.",
            "rate(1 hour), rate(NUMBER minutes, hours or days) or cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR), in UTC, "
            "with ? for either DAY or WEEKDAY, such as cron(30 4 * * ? *)",
        ),
    ] = None
    schedule_enabled: Annotated[
        bool, says("Whether the rule starts runs, by the schedule and by events.", "true or false")
    ] = True
    memory_mb: Annotated[
        int,
        number(
            "MB",
            512,
            10240,
            "The memory of each function. Up to 1769 MB it also brings more CPU.",
            "new accounts may be limited to 3008",
        ),
    ] = 512
    removal_policy: Annotated[
        Literal["destroy", "retain"],
        says("Whether `cdk destroy` deletes the bucket and the tables with all their data."),
    ] = "destroy"
    log_retention_days: Annotated[_LogRetention, says("How long logs are kept.")] = 30
    alarm_email: Annotated[_Email | None, says("The address that gets the alarms.", "an e-mail address")] = None
    late_hours: Annotated[
        int, number("hours", 1, 8784, "The age of the watermark above which an alarm says that data is late.")
    ] = 26
    reject_alarm_percent: Annotated[float, percent("The share of rejected items above which there is an alarm.")] = 1
    architecture: Annotated[Literal["x86_64", "arm64"], says("The processor of the functions.")] = "x86_64"
    lambda_platform: Annotated[
        Literal["function", "host"], says("The platform of the functions' packages; the local environment sets `host`.")
    ] = "function"


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
class ReadByExtract(_ReadByStaging, ReadByAll):
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


@dataclass(frozen=True, kw_only=True)
class Settings(ReadByLoad, ReadByTransform, ReadByExtract, ReadByStack):
    """All settings. The defaults are the specification's values."""


SETTINGS = declared(Settings)
"""All settings by name, in the order of README.md."""
