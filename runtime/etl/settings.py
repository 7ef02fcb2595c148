"""The settings of each function, parsed once at the edge from its environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from etl.model.errors import ConfigurationError
from etl.model.function_settings import OfTables, ReadByAll, ReadByExtract, ReadByLoad, ReadByTransform
from etl.model.setting import Setting, SettingsError, declared
from etl.model.stages import BY_ACTION, EXTRACT, LOAD, TRANSFORM
from etl.model.table_access import EXISTING, TableAccess
from etl.model.windows import WindowRules

OPTIONAL = declared(OfTables)
"""The settings whose variable a function has only if you set them."""

_UNSET = {name: setting.default for name, setting in OPTIONAL.items()} | dict.fromkeys(map(str.lower, EXISTING))

_OF_ALL = declared(ReadByAll)


@dataclass(frozen=True, kw_only=True)
class FunctionSettings(ReadByAll):
    """Settings that every function has.

    Attributes:
        staging_bucket: name of the bucket between the stages.
        stores: names of the bucket and the tables of all stages, which a run keeps to.
    """

    staging_bucket: str
    stores: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Parse the environment.

        Raises:
            ConfigurationError: a variable is missing or has a value that isn't allowed.
        """
        settings = declared(cls)
        return cls(**{field.name: _parse(field.name, settings.get(field.name), env) for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class ExtractSettings(FunctionSettings, ReadByExtract):
    """Settings of ``etl-extract``.

    Attributes:
        source_table: name or ARN of the table that is read.
        ledger_table: name of the table of the run ledger.
        existing_source: the same as ``source_table`` if the stack didn't make that table.
        existing_destination: name or ARN of the table that is written, if the stack didn't make it.
    """

    source_table: str
    ledger_table: str
    existing_source: str | None = None
    existing_destination: str | None = None

    @property
    def source(self) -> TableAccess:
        """The way to the table that is read."""
        return TableAccess(self.source_table, self.source_role_arn, self.source_role_external_id)

    @property
    def destination(self) -> TableAccess | None:
        """The way to the table that is written; None if the stack made it, and so knows its key."""
        if self.existing_destination is None:
            return None
        return TableAccess(self.existing_destination, self.destination_role_arn, self.destination_role_external_id)

    @property
    def windows(self) -> WindowRules:
        """The lengths of windows."""
        return WindowRules(
            lookback=timedelta(hours=self.lookback_hours),
            lateness=timedelta(minutes=self.lateness_minutes),
            catch_up=timedelta(days=self.catch_up_days),
            event_window=timedelta(days=self.event_window_days),
        )


@dataclass(frozen=True, kw_only=True)
class TransformSettings(FunctionSettings, ReadByTransform):
    """Settings of ``etl-transform``."""

    @property
    def reject_threshold(self) -> Decimal:
        """The share of rejected items above which a run fails, in percent."""
        return _exact(self.reject_threshold_percent)

    @property
    def drop_threshold(self) -> Decimal:
        """The share of dropped items above which a run fails, in percent."""
        return _exact(self.drop_threshold_percent)


@dataclass(frozen=True, kw_only=True)
class LoadSettings(FunctionSettings, ReadByLoad):
    """Settings of ``etl-load``.

    Attributes:
        destination_table: name or ARN of the table that is written.
        ledger_table: name of the table of the run ledger.
        existing_destination: the same as ``destination_table`` if the stack didn't make that table.
    """

    destination_table: str
    ledger_table: str
    existing_destination: str | None = None

    @property
    def destination(self) -> TableAccess:
        """The way to the table that is written."""
        return TableAccess(self.destination_table, self.destination_role_arn, self.destination_role_external_id)


def log_level(env: Mapping[str, str]) -> str:
    """The level of the log, which is needed before the other settings. The default serves if it is missing.

    Raises:
        ConfigurationError: the value isn't allowed.
    """
    setting = _OF_ALL["log_level"]
    return str(_parse(setting.name, setting, {setting.variable: setting.default, **env}))


BY_FUNCTION: Mapping[str, type[FunctionSettings]] = {
    BY_ACTION[EXTRACT].function: ExtractSettings,
    BY_ACTION[TRANSFORM].function: TransformSettings,
    BY_ACTION[LOAD].function: LoadSettings,
}


def environment(function: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The environment variables of a function, as ``from_env`` reads them.

    Args:
        function: its name in the table of stages.
        values: all settings, and the names of bucket and tables, by the attributes of the classes here.
    """
    names = [field.name for field in fields(BY_FUNCTION[function])]
    return {
        name.upper(): str(values[name])
        for name in names
        if name not in _UNSET or values.get(name, _UNSET[name]) != _UNSET[name]
    }


def _exact(percent: float) -> Decimal:
    return Decimal(str(percent).removesuffix(".0"))


def _parse(name: str, setting: Setting | None, env: Mapping[str, str]) -> Any:
    variable = name.upper()
    text = env.get(variable, "").strip()
    if not text and name in _UNSET:
        return _UNSET[name]
    if not text:
        raise ConfigurationError(
            f"the environment variable {variable} is missing or empty; the stack sets it: deploy the stack again"
        )
    if setting is None:
        return text
    try:
        return setting.parse(text, called=variable)
    except SettingsError as error:
        raise ConfigurationError(f"{error}; the stack sets it: deploy the stack again") from None
