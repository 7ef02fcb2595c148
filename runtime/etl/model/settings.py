"""The settings of a pipeline, each declared once: type, bounds, default, and a sentence.

The class of a setting says who reads it. A function gets each of its settings in an environment variable that has the
setting's name in capitals. Everything else follows from the declaration: the check and its message, the variables,
the table in README.md, and ``etl settings``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

MOST_WORKERS = 1000
"""An account's Lambda functions run so many at once unless it has asked for more (Lambda developer guide, "Lambda
quotas"), and the state of an execution, 256 KiB, holds so many segments (Step Functions developer guide, "Quotas")."""

_MIB, _GIB = 1024**2, 1024**3
_MOST_SHOWN = 80


def _number(unit: str, least: int, most: int, sentence: str, *, because: str = "") -> Meta:
    allowed = f"{unit} from {least} to {most}{f' ({because})' if because else ''}"
    return Meta(ge=least, le=most, description=sentence, extra={"allowed": allowed})


def _percent(sentence: str) -> Meta:
    return _number("percent", 0, 100, sentence)


def _says(sentence: str, allowed: str = "") -> Meta:
    return Meta(description=sentence, extra={"allowed": allowed})


# EventBridge checks the fields themselves. Source: EventBridge user guide, "Schedule types".
_Schedule = Annotated[str, Meta(pattern=r"^(rate\(\d+ (minute|hour|day)s?\)|cron\(\S+( \S+){5}\))\Z")]
_Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+\Z")]
# Source: CloudWatch Logs API reference, PutRetentionPolicy.
_LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


@dataclass(frozen=True, kw_only=True)
class ReadByStack:
    """Settings of the stack's resources, which no function reads."""

    pipeline: Annotated[
        str,
        _says("The folder of your code.", "a folder in the checkout with transformation.py"),
    ] = "pipelines/etl"
    schedule: Annotated[
        _Schedule | None,
        _says(
            "When runs start, in UTC, such as `rate(6 hours)` or `cron(0 4 * * ? *)`; without it at 02:00 every day.",
            "rate(NUMBER minutes, hours or days) or cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR), in UTC",
        ),
    ] = None
    schedule_enabled: Annotated[
        bool, _says("Whether the rule starts runs, by the schedule and by events.", "true or false")
    ] = True
    memory_mb: Annotated[
        int,
        _number(
            *("MB", 512, 10240),
            "The memory of each function. Up to 1769 MB it also brings more CPU.",
            because="new accounts may be limited to 3008",
        ),
    ] = 512
    removal_policy: Annotated[
        Literal["destroy", "retain"],
        _says("Whether `cdk destroy` deletes the bucket and the tables with all their data."),
    ] = "destroy"
    log_retention_days: Annotated[_LogRetention, _says("How long logs are kept.")] = 30
    alarm_email: Annotated[_Email | None, _says("The address that gets the alarms.", "an e-mail address")] = None
    late_hours: Annotated[
        int,
        _number("hours", 1, 8784, "The age of the watermark above which an alarm says that data is late."),
    ] = 26
    reject_alarm_percent: Annotated[float, _percent("The share of rejected items above which there is an alarm.")] = 1
    architecture: Annotated[Literal["x86_64", "arm64"], _says("The processor of the functions.")] = "x86_64"
    lambda_platform: Annotated[
        Literal["function", "host"],
        _says("The platform of the functions' packages; the local environment sets `host`."),
    ] = "function"


@dataclass(frozen=True, kw_only=True)
class ReadByAll:
    """Settings that every function reads."""

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], _says("The least level of the functions' log lines.")
    ] = "INFO"


@dataclass(frozen=True, kw_only=True)
class _ReadByStaging:
    """Settings of the functions that write staged objects: Extract and Transform."""

    part_bytes: Annotated[
        int,
        _number(
            *("bytes", 1, 5 * _GIB),
            "The size at which a staged object is closed and the next one begun.",
            because="up to 5 GiB",
        ),
    ] = 64 * _MIB


@dataclass(frozen=True, kw_only=True)
class ReadByExtract(_ReadByStaging, ReadByAll):
    """Settings of ``etl-extract``."""

    lookback_hours: Annotated[int, _number("hours", 1, 8784, "The length of the default window.", because="a year")] = (
        24
    )
    catch_up_days: Annotated[
        int,
        _number(
            *("days", 1, 366),
            "The longest time that a run catches up on when runs before it failed.",
            because="up to a year",
        ),
    ] = 30
    event_window_days: Annotated[
        int,
        _number(
            *("days", 1, 366),
            "The longest window that an event may ask for. An execution that you start may ask for more.",
            because="up to a year",
        ),
    ] = 31
    lateness_minutes: Annotated[
        int,
        _number(
            *("minutes", 0, 10080),
            "How much further back the default window reaches, for items that arrived late.",
            because="up to a week",
        ),
    ] = 15
    concurrency: Annotated[
        int,
        _number(
            *("workers", 1, MOST_WORKERS),
            "The most workers of one stage at a time. Above 40 the workflow has Distributed Maps.",
            because="an account's functions run so many at once",
        ),
    ] = 40
    segment_bytes: Annotated[
        int,
        _number(
            *("bytes", 1, 1024 * _GIB),
            "The size of table that one worker scans. A larger table gets more workers.",
            because="up to 1 TiB",
        ),
    ] = 256 * _MIB


@dataclass(frozen=True, kw_only=True)
class ReadByTransform(_ReadByStaging, ReadByAll):
    """Settings of ``etl-transform``."""

    reject_threshold_percent: Annotated[
        float, _percent("The share of rejected items above which a run fails before it loads anything.")
    ] = 5
    drop_threshold_percent: Annotated[
        float,
        _percent(
            "The share of items for which `transform()` returns nothing above which a run fails before it loads "
            "anything; 100 allows all."
        ),
    ] = 99
    record_seconds: Annotated[
        int,
        _number(
            *("seconds", 1, 240),
            "How long `transform()` may take for one record, which then goes to quarantine.",
            because="an invocation has 300",
        ),
    ] = 10


@dataclass(frozen=True, kw_only=True)
class ReadByLoad(ReadByAll):
    """Settings of ``etl-load``."""

    max_write_units_per_second: Annotated[
        int,
        _number(
            *("write units", 0, 10_000_000),
            "The ceiling of writes to the destination table, which all workers share.",
            because="0 is no ceiling",
        ),
    ] = 0


@dataclass(frozen=True, kw_only=True)
class Settings(ReadByLoad, ReadByTransform, ReadByExtract, ReadByStack):
    """All settings. The defaults are the specification's values."""


class SettingsError(ValueError):
    """A setting has a value that isn't allowed, or there is no setting of that name."""


@dataclass(frozen=True)
class Setting:
    """The declaration of a setting.

    Attributes:
        name: its name.
        kind: its type with its bounds, for msgspec.
        default: its value if you don't set it.
        sentence: its purpose, in Markdown.
        allowed: the allowed values, in words.
    """

    name: str
    kind: Any
    default: Any
    sentence: str
    allowed: str

    @property
    def variable(self) -> str:
        """The environment variable of the functions that read it."""
        return self.name.upper()

    def parse(self, given: object, *, called: str = "", strict: bool = False) -> Any:
        """Convert and check a value.

        Args:
            given: a typed value, or its text.
            called: the setting's name in the message; its own if left out.
            strict: whether to refuse the text of a number or of a switch.

        Raises:
            SettingsError: the value isn't allowed.
        """
        value = given.strip() if isinstance(given, str) and not strict else given
        if value == "" and self.default is None and not strict:
            return None
        try:
            return msgspec.convert(value, self.kind, strict=strict)
        except (ValueError, OverflowError, RecursionError):
            raise self.refusal(given, called) from None

    def refusal(self, given: object, called: str = "") -> SettingsError:
        """The error that a value isn't allowed."""
        return SettingsError(f"{called or self.name} must be {self.allowed}, got {_shown(given)}")

    def text(self, value: object) -> str:
        """Write a value as you type it."""
        return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


def _shown(value: object) -> str:
    try:
        text = ascii(value)
    except (RecursionError, ValueError):  # levels, or digits, beyond what Python writes
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def _declared() -> Mapping[str, Setting]:
    kinds = get_type_hints(Settings, include_extras=True)
    return {each.name: _setting(each.name, kinds[each.name], each.default) for each in fields(Settings)}


def _setting(name: str, kind: Any, default: Any) -> Setting:
    bare, meta = get_args(kind)
    allowed = meta.extra["allowed"] or f"one of {', '.join(map(str, get_args(bare)))}"
    if bare in (int, float):
        allowed = f"a {'whole ' if bare is int else ''}number of {allowed}"
    return Setting(name, kind, default, meta.description, allowed)


SETTINGS = _declared()
"""All settings by name, in the order of README.md."""
