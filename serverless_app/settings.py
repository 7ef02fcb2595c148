"""Every knob of the pipeline, in one typed and validated object."""

import difflib
import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, cast

from constructs import Node

from serverless_app.schedule_expression import SCHEDULE_ALLOWED, is_schedule

CHECKOUT = Path(__file__).resolve().parent.parent
CONTEXT_PREFIX = "etl:"

# The retentions that CloudWatch Logs takes (API reference, PutRetentionPolicy) and what CDK calls them.
LOG_RETENTIONS = {
    1: "ONE_DAY",
    3: "THREE_DAYS",
    5: "FIVE_DAYS",
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    60: "TWO_MONTHS",
    90: "THREE_MONTHS",
    120: "FOUR_MONTHS",
    150: "FIVE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
    400: "THIRTEEN_MONTHS",
    545: "EIGHTEEN_MONTHS",
    731: "TWO_YEARS",
    1096: "THREE_YEARS",
    1827: "FIVE_YEARS",
    2192: "SIX_YEARS",
    2557: "SEVEN_YEARS",
    2922: "EIGHT_YEARS",
    3288: "NINE_YEARS",
    3653: "TEN_YEARS",
}

# Iterations of an inline Map at once (Step Functions developer guide, "Map state processing modes").
MOST_INLINE_WORKERS = 40
# An account's Lambda functions run 1,000 at once unless it has asked for more (Lambda developer guide, "Lambda
# quotas"), and so many segments are what a state of 256 KiB holds (Step Functions developer guide, "Quotas").
MOST_WORKERS = 1000

# A function's memory, in steps of 1 MB (Lambda developer guide, "Lambda quotas"); what the functions hold at once is
# bounded for 512 MB and more.
MOST_MEMORY_MB = 10240

_MOST_SHOWN = 80
_KIBIBYTE = 1024
_GIBIBYTE = 1024**3
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class SettingsError(ValueError):
    """A setting has a value that is not allowed, or a name that does not exist. The message says how to fix it."""


@dataclass(frozen=True)
class _Rule:
    """What a setting may be: ``allowed`` in words, ``accepts`` for a typed value, ``parse`` for a text."""

    allowed: str
    accepts: Callable[[Any], bool]
    parse: Callable[[str], Any]


def _whole(unit: str, minimum: int, maximum: int, why: str = "") -> _Rule:
    allowed = f"a whole number of {unit} from {minimum} to {maximum}{f' ({why})' if why else ''}"
    return _Rule(allowed, lambda value: type(value) is int and minimum <= value <= maximum, int)


def _one_of(*values: str | int) -> _Rule:
    def parse(text: str) -> str | int:
        return next((value for value in values if str(value) == text), text)

    return _Rule(f"one of {', '.join(map(str, values))}", lambda v: type(v) in (str, int) and v in values, parse)


def _is_percent(value: object) -> bool:
    return type(value) in (int, float) and 0 <= cast(float, value) <= 100


def _optional(allowed: str, accepts: Callable[[str], bool]) -> _Rule:
    def accepts_or_none(value: object) -> bool:
        return value is None or (isinstance(value, str) and accepts(value))

    return _Rule(allowed, accepts_or_none, lambda text: text or None)


def _switch() -> _Rule:
    return _Rule("true or false", lambda value: type(value) is bool, lambda text: {"true": True, "false": False}[text])


def is_pipeline(value: object) -> bool:
    """Whether a folder in the checkout, ``pipelines/etl``, holds a transformation."""
    return isinstance(value, str) and (CHECKOUT / value / "transformation.py").is_file()


def _knob(default: Any, rule: _Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


def _rule(knob: Field[Any]) -> _Rule:
    return cast(_Rule, knob.metadata["rule"])


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # levels, or digits, beyond what Python writes
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def _problem(knob: Field[Any], got: object) -> str:
    default = "nothing" if knob.default is None else str(knob.default).lower()
    return (
        f"{knob.name} must be {_rule(knob).allowed}, got {_shown(got)}. "
        f"Set it with `-c {CONTEXT_PREFIX}{knob.name}=VALUE` "
        f'or in "context" of cdk.json, or leave it out: the default is {default}.'
    )


@dataclass(frozen=True, kw_only=True)
class PipelineSettings:
    """Settings of the stack; the defaults are the specification's values.

    Attributes:
        pipeline: folder of your code, from the checkout on.
        schedule: ``rate(…)`` or ``cron(…)`` of EventBridge, in UTC; None for the stack's own, 02:00 every day.
        schedule_enabled: whether the rule starts runs, by the schedule and by events.
        lookback_hours: length of the default window, in hours.
        catch_up_days: the longest time that a run catches up on when runs before it failed, in days.
        event_window_days: the longest window that an event may ask for, in days; an execution may ask for more.
        lateness_minutes: how far the default window reaches back beyond that, for items that arrived late.
        concurrency: workers of one stage at a time; above 40 the workflow's Maps are Distributed Maps.
        max_write_units_per_second: ceiling of writes to the destination table, shared by the workers; 0 for none.
        reject_threshold_percent: share of rejected items above which a run fails before it loads anything.
        drop_threshold_percent: share of items for which ``transform()`` returns nothing above which a run fails before
            it loads anything; 100 allows all.
        memory_mb: memory of each function, in MB; their share of a CPU grows with it.
        record_seconds: how long ``transform()`` may take for one record, in seconds.
        segment_bytes: size of table that one worker scans, in bytes; a larger table gets more workers.
        part_bytes: size at which a staged object is closed and the next one begun, in bytes.
        removal_policy: what ``cdk destroy`` does with the bucket and the tables: ``destroy`` them, with all data,
            as the specification's clean-up wants it, or ``retain`` them.
        log_retention_days: how long logs are kept.
        alarm_email: address that gets the alarms; None for nobody.
        late_hours: age of the watermark above which data is late, in hours; longer than from one run to the end of
            the next.
        reject_alarm_percent: share of rejected items above which there is an alarm, whether or not the run fails.
        architecture: processor of the functions.
        log_level: least level of the functions' log lines.
        lambda_platform: platform of the functions' packages: the ``function``'s own, or the ``host``'s interpreter,
            for the local environment, where functions run as processes of this machine.

    Raises:
        SettingsError: a value is not allowed.
    """

    pipeline: str = _knob("pipelines/etl", _Rule("a folder in the checkout with transformation.py", is_pipeline, str))
    schedule: str | None = _knob(None, _optional(SCHEDULE_ALLOWED, is_schedule))
    schedule_enabled: bool = _knob(True, _switch())
    lookback_hours: int = _knob(24, _whole("hours", 1, 8784, "a year"))
    catch_up_days: int = _knob(30, _whole("days", 1, 366, "up to a year"))
    event_window_days: int = _knob(31, _whole("days", 1, 366, "up to a year"))
    lateness_minutes: int = _knob(15, _whole("minutes", 0, 10080, "up to a week"))
    concurrency: int = _knob(40, _whole("workers", 1, MOST_WORKERS, "what an account's functions run at once"))
    max_write_units_per_second: int = _knob(0, _whole("write units", 0, 10_000_000, "0 is no ceiling"))
    reject_threshold_percent: float = _knob(5, _Rule("a number of percent from 0 to 100", _is_percent, float))
    drop_threshold_percent: float = _knob(99, _Rule("a number of percent from 0 to 100", _is_percent, float))
    memory_mb: int = _knob(512, _whole("MB", 512, MOST_MEMORY_MB, "new accounts may be limited to 3008"))
    record_seconds: int = _knob(10, _whole("seconds", 1, 240, "an invocation has 300"))
    segment_bytes: int = _knob(256 * 1024**2, _whole("bytes", _KIBIBYTE, 1024 * _GIBIBYTE, "1 KiB to 1 TiB"))
    part_bytes: int = _knob(64 * 1024**2, _whole("bytes", _KIBIBYTE, 5 * _GIBIBYTE, "1 KiB to 5 GiB"))
    removal_policy: Literal["destroy", "retain"] = _knob("destroy", _one_of("destroy", "retain"))
    log_retention_days: int = _knob(30, _one_of(*LOG_RETENTIONS))
    alarm_email: str | None = _knob(None, _optional("an e-mail address", lambda v: bool(_EMAIL.fullmatch(v))))
    late_hours: int = _knob(26, _whole("hours", 1, 8784, "a year"))
    reject_alarm_percent: float = _knob(1, _Rule("a number of percent from 0 to 100", _is_percent, float))
    architecture: Literal["x86_64", "arm64"] = _knob("x86_64", _one_of("x86_64", "arm64"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _knob(
        "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR")
    )
    lambda_platform: Literal["function", "host"] = _knob("function", _one_of("function", "host"))

    @property
    def distributed(self) -> bool:
        """Whether an inline Map runs too few workers at once."""
        return self.concurrency > MOST_INLINE_WORKERS

    def __post_init__(self) -> None:
        """Check every value."""
        for knob in fields(self):
            value = getattr(self, knob.name)
            if not _rule(knob).accepts(value):
                raise SettingsError(_problem(knob, value))

    @classmethod
    def from_context(cls, node: Node) -> Self:
        """Read the context keys ``etl:<setting>``, texts from ``-c`` as well as typed values from cdk.json.

        Raises:
            SettingsError: a value is not allowed, or a key names no setting.
        """
        knobs = {knob.name: knob for knob in fields(cls)}
        values = {}
        for key, value in (node.get_all_context() or {}).items():
            if key.startswith(CONTEXT_PREFIX):
                name = key.removeprefix(CONTEXT_PREFIX)
                if name not in knobs:
                    raise SettingsError(_unknown(name, list(knobs)))
                values[name] = _read(knobs[name], value)
        return cls(**values)


def _read(knob: Field[Any], value: object) -> Any:
    """Give the typed value of a context value."""
    if not isinstance(value, str):
        return value
    try:
        return _rule(knob).parse(value.strip())
    except (ValueError, KeyError):
        raise SettingsError(_problem(knob, value)) from None


def _unknown(name: str, known: list[str]) -> str:
    name = name[:_MOST_SHOWN]
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {CONTEXT_PREFIX}{nearest[0]}?" if nearest else "."
    return f"There is no setting {CONTEXT_PREFIX}{name}{hint} The settings are: {', '.join(known)}."
