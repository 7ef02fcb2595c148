"""Settings of the functions, parsed once at the edge from their environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Self

from etl.invocation.code_version import STORES
from etl.model.errors import ConfigurationError
from etl.model.windows import WindowRules

# No count of anything comes near, and arithmetic with it stays in the range of floats.
_MOST = 10**15
# The stack allows a year and a week (serverless_app/settings.py); these keep a window within the calendar.
_MOST_DAYS = 366 * 100
_MOST_HOURS = 24 * _MOST_DAYS
_MOST_MINUTES = 60 * _MOST_HOURS
# An invocation has 300 seconds, and must be left some when it has waited for a record.
_MOST_RECORD_SECONDS = 240


def _text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigurationError(
            f"the environment variable {name} is missing or empty; the stack sets it: deploy the stack again"
        )
    return value


def _whole(env: Mapping[str, str], name: str, unit: str, *, minimum: int, maximum: int = _MOST) -> int:
    text = _text(env, name)
    # isdecimal() alone would take digits of other scripts, and int() takes underscores and refuses 4,300 digits.
    digits = text if text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST)) else "-1"
    if not minimum <= int(digits) <= maximum:
        raise ConfigurationError(
            f"{name} must be a whole number of {unit} from {minimum} to {maximum}, got {_shown(text)}"
        )
    return int(digits)


def _percent(env: Mapping[str, str], name: str) -> Decimal:
    text = _text(env, name)
    try:
        value = Decimal(text)
    except InvalidOperation:  # it isn't a number, or has an exponent beyond what Decimal takes
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value <= 100):
        raise ConfigurationError(f"{name} must be a number of percent from 0 to 100, got {_shown(text)}")
    return value


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 80 else shown[:77] + "..."


@dataclass(frozen=True, kw_only=True)
class ExtractSettings:
    """Settings of ``etl-extract``.

    Attributes:
        staging_bucket: name of the bucket between the stages.
        source_table: name of the table that is read.
        ledger_table: name of the table of the run ledger.
        catch_up_days: the longest time that a run catches up on, in days.
        event_window_days: the longest window that an event may ask for, in days.
        lookback_hours: length of the default window, in hours.
        lateness_minutes: how far the default window reaches back beyond that, for late arrivals.
        concurrency: most workers of one stage at a time.
        segment_bytes: size of table that one segment holds, in bytes; more make more segments.
        part_bytes: size at which a staged object is closed and the next one begun, in bytes.
        stores: names of the bucket and the tables of all stages, which a run keeps to.
    """

    staging_bucket: str
    source_table: str
    ledger_table: str
    catch_up_days: int
    event_window_days: int
    lookback_hours: int
    lateness_minutes: int
    concurrency: int
    segment_bytes: int
    part_bytes: int
    stores: str

    @property
    def windows(self) -> WindowRules:
        """How long windows are."""
        return WindowRules(
            lookback=timedelta(hours=self.lookback_hours),
            lateness=timedelta(minutes=self.lateness_minutes),
            catch_up=timedelta(days=self.catch_up_days),
            event_window=timedelta(days=self.event_window_days),
        )

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Parse the environment.

        Raises:
            ConfigurationError: a variable is missing or has a value that isn't allowed.
        """
        return cls(
            staging_bucket=_text(env, "STAGING_BUCKET"),
            source_table=_text(env, "SOURCE_TABLE"),
            ledger_table=_text(env, "LEDGER_TABLE"),
            catch_up_days=_whole(env, "CATCH_UP_DAYS", "days", minimum=1, maximum=_MOST_DAYS),
            event_window_days=_whole(env, "EVENT_WINDOW_DAYS", "days", minimum=1, maximum=_MOST_DAYS),
            lookback_hours=_whole(env, "LOOKBACK_HOURS", "hours", minimum=1, maximum=_MOST_HOURS),
            lateness_minutes=_whole(env, "LATENESS_MINUTES", "minutes", minimum=0, maximum=_MOST_MINUTES),
            concurrency=_whole(env, "CONCURRENCY", "workers", minimum=1),
            segment_bytes=_whole(env, "SEGMENT_BYTES", "bytes", minimum=1),
            part_bytes=_whole(env, "PART_BYTES", "bytes", minimum=1),
            stores=_text(env, STORES),
        )


@dataclass(frozen=True, kw_only=True)
class TransformSettings:
    """Settings of ``etl-transform``.

    Attributes:
        staging_bucket: name of the bucket between the stages.
        part_bytes: size at which a staged object is closed and the next one begun, in bytes.
        reject_threshold_percent: share of rejected items above which the run fails, from 0 to 100.
        drop_threshold_percent: share of dropped items above which the run fails, from 0 to 100.
        record_seconds: how long ``transform()`` may take for one record, in seconds.
    """

    staging_bucket: str
    part_bytes: int
    reject_threshold_percent: Decimal
    drop_threshold_percent: Decimal
    record_seconds: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Parse the environment.

        Raises:
            ConfigurationError: a variable is missing or has a value that isn't allowed.
        """
        return cls(
            staging_bucket=_text(env, "STAGING_BUCKET"),
            part_bytes=_whole(env, "PART_BYTES", "bytes", minimum=1),
            reject_threshold_percent=_percent(env, "REJECT_THRESHOLD_PERCENT"),
            drop_threshold_percent=_percent(env, "DROP_THRESHOLD_PERCENT"),
            record_seconds=_whole(env, "RECORD_SECONDS", "seconds", minimum=1, maximum=_MOST_RECORD_SECONDS),
        )


@dataclass(frozen=True, kw_only=True)
class LoadSettings:
    """Settings of ``etl-load``.

    Attributes:
        staging_bucket: name of the bucket between the stages.
        destination_table: name of the table that is written.
        ledger_table: name of the table of the run ledger.
        max_write_units_per_second: ceiling that the workers of a run share; 0 for none.
    """

    staging_bucket: str
    destination_table: str
    ledger_table: str
    max_write_units_per_second: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Parse the environment.

        Raises:
            ConfigurationError: a variable is missing or has a value that isn't allowed.
        """
        return cls(
            staging_bucket=_text(env, "STAGING_BUCKET"),
            destination_table=_text(env, "DESTINATION_TABLE"),
            ledger_table=_text(env, "LEDGER_TABLE"),
            max_write_units_per_second=_whole(env, "MAX_WRITE_UNITS_PER_SECOND", "write units", minimum=0),
        )
