"""AWS's prices by region, from prices.toml in this folder, with their dates and sources."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from etl_cli.terminal.errors import UserError

TABLE = Path(__file__).with_suffix(".toml")
# The region whose prices stand in for those of a region that the table doesn't have.
BASE = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars in one region, on demand, without tax, free tiers and volume tiers.

    Workflows are standard ones, and objects in S3 Standard. A custom metric is billed for the hours with a value.
    Events are custom ones on EventBridge.
    """

    million_read_units: Decimal
    million_write_units: Decimal
    lambda_gb_second_x86_64: Decimal
    lambda_gb_second_arm64: Decimal
    lambda_million_requests: Decimal
    thousand_transitions: Decimal
    thousand_puts: Decimal
    thousand_gets: Decimal
    gb_month: Decimal
    gb_logs: Decimal
    metric_month: Decimal
    million_events: Decimal
    million_traces: Decimal

    def lambda_gb_second(self, architecture: str) -> Decimal:
        """The price of a GB-second of ``x86_64`` or ``arm64``."""
        return self.lambda_gb_second_arm64 if architecture == "arm64" else self.lambda_gb_second_x86_64


NAMES = tuple(each.name for each in fields(Prices))


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """The prices of a region, their origin in words, and the names of prices without a date."""

    region: str
    prices: Prices
    source: str
    recalled: tuple[str, ...] = ()


def read_table(path: Path = TABLE) -> dict[str, Any]:
    """Read a table of prices, TOML or JSON, with exact numbers.

    Raises:
        UserError: there is no such file, or it isn't a table of prices.
    """
    load = json.loads if path.suffix == ".json" else tomllib.loads
    try:
        table = load(path.read_text(encoding="utf-8"), parse_float=Decimal)
        if all(isinstance(prices, dict) for prices in table["regions"].values()):
            return dict(table)
    except OSError as error:
        raise UserError(f"The prices in {path} can't be read: {error.strerror}.", "Give another file.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UserError(
        f"{path} isn't a table of prices.",
        f"Write TOML, or JSON in a file whose name ends in .json, in the shape of {TABLE}.",
    )


def price_list(region: str, path: Path | None = None) -> PriceList:
    """The prices of a region: those in your file, completed from prices.toml.

    Raises:
        UserError: the file can't be read, doesn't have the region, or has a price that isn't one.
    """
    table = read_table()["regions"]
    own = table.get(region, table[BASE])
    source = f"of {region}, {own['dated']}"
    if region not in table:
        source = f"of {BASE}, {own['dated']}: {region} isn't in the table, and may cost more; give --prices FILE"
    given = _given(region, path) if path else {}
    if path:
        source = f"from {path}" if given.keys() >= set(NAMES) else f"from {path}; the others {source}"
    return PriceList(
        region=region,
        prices=Prices(**{name: Decimal(value) for name, value in (own | given).items() if name in NAMES}),
        source=source,
        recalled=tuple(name for name in own["recalled"] if name not in given),
    )


def _given(region: str, path: Path) -> dict[str, Decimal]:
    """The prices in a file of yours."""
    regions = read_table(path)["regions"]
    if region not in regions:
        raise UserError(
            f"{path} has no prices of {region}. It has {', '.join(regions) or 'none'}.",
            f"Add a table [regions.{region}].",
        )
    given = {name: value for name, value in regions[region].items() if name not in ("dated", "recalled")}
    for name, value in given.items():
        if name not in NAMES:
            raise UserError(f"{path}: there is no price {name!r}.", f"The prices are {', '.join(NAMES)}.")
        if not _is_price(value):
            raise UserError(f"{path}: {name} of {region} must be a number of US dollars, 0 or more.", "Correct it.")
    return {name: Decimal(value) for name, value in given.items()}


def _is_price(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return Decimal(value).is_finite() and value >= 0
