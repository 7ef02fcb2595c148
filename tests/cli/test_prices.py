"""The table of prices is complete and dated, and a file of the user's goes before it."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etl_cli.costs.prices import BASE, NAMES, TABLE, price_list, read_table
from etl_cli.terminal.errors import UserError

OWN = read_table()
REGIONS: dict[str, Any] = OWN["regions"]
# When the table was put together; a figure can't be of a later day.
LATEST = date(2026, 11, 30)


def file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_has_every_price_exact_and_nothing_else(region: str) -> None:
    prices = {name: value for name, value in REGIONS[region].items() if name not in ("dated", "recalled")}
    assert sorted(prices) == sorted(NAMES)
    assert all(isinstance(value, Decimal) and value > 0 for value in prices.values())


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_is_dated(region: str) -> None:
    assert date(2025, 1, 1) < REGIONS[region]["dated"] <= LATEST


def test_every_price_has_a_source() -> None:
    assert sorted(name for source in OWN["sources"].values() for name in source["prices"]) == sorted(NAMES)
    assert all(source["page"] and source["seen"] for source in OWN["sources"].values())


@pytest.mark.parametrize("region", REGIONS)
def test_a_price_without_a_source_is_recalled(region: str) -> None:
    without = {
        name
        for source in OWN["sources"].values()
        for name in source["prices"]
        if region not in source["seen"] and "for all of these regions" not in " ".join(source["seen"].split())
    }
    assert set(REGIONS[region]["recalled"]) == without


def test_no_region_has_lower_main_prices_than_the_base() -> None:
    for name in ("million_read_units", "million_write_units", "gb_month", "gb_logs", "thousand_transitions"):
        assert min(prices[name] for prices in REGIONS.values()) == REGIONS[BASE][name]


def test_a_region_s_prices_have_their_date_and_recalled_names() -> None:
    found = price_list("eu-west-1")

    assert found.prices.million_write_units == Decimal("0.705")
    assert found.source == "of eu-west-1, 2026-08-15"
    assert found.recalled == ("million_traces",)


def test_an_unknown_region_gets_the_base_s_prices_and_a_note() -> None:
    found = price_list("me-central-1")

    assert found.prices == price_list(BASE).prices
    assert "of us-east-1, 2026-08-15" in found.source
    assert "me-central-1" in found.source
    assert "--prices" in found.source


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.toml", "[regions.eu-west-1]\nmillion_write_units = 0.5\nmillion_traces = 4\n"),
        ("mine.json", json.dumps({"regions": {"eu-west-1": {"million_write_units": 0.5, "million_traces": 4}}})),
    ],
)
def test_a_file_s_prices_win_and_the_table_completes_them(tmp_path: Path, name: str, text: str) -> None:
    path = file(tmp_path / name, text)
    found = price_list("eu-west-1", path)

    assert (found.prices.million_write_units, found.prices.million_traces) == (Decimal("0.5"), Decimal(4))
    assert found.prices.million_read_units == Decimal("0.1415")
    assert found.source == f"from {path}; the others of eu-west-1, 2026-08-15"
    assert found.recalled == ()


def test_a_file_with_all_prices_is_the_only_source(tmp_path: Path) -> None:
    prices = "".join(f"{name} = 1\n" for name in NAMES)
    path = file(tmp_path / "mine.toml", f"[regions.xx-north-1]\ndated = 2026-11-01\n{prices}")

    found = price_list("xx-north-1", path)

    assert found.source == f"from {path}"
    assert found.recalled == ()
    assert set(vars(found.prices).values()) == {Decimal(1)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[regions.eu-west-2]\n", "no prices of eu-west-1. It has eu-west-2"),
        ("[regions]\n", "It has none"),
        ("[regions.eu-west-1]\nmillion_writes = 1\n", "there is no price 'million_writes'"),
        ('[regions.eu-west-1]\ngb_logs = "1"\n', "gb_logs of eu-west-1 must be a number"),
        ("[regions.eu-west-1]\ngb_logs = -1\n", "gb_logs of eu-west-1 must be a number"),
        ("[regions.eu-west-1]\ngb_logs = nan\n", "gb_logs of eu-west-1 must be a number"),
        ("[regions.eu-west-1]\ngb_logs = true\n", "gb_logs of eu-west-1 must be a number"),
        ("[regions]\neu-west-1 = 3\n", "isn't a table of prices"),
        ("regions = [1]\n", "isn't a table of prices"),
        ("gb_logs = 1\n", "isn't a table of prices"),
        ("not toml", "isn't a table of prices"),
    ],
)
def test_a_file_that_is_no_table_of_prices_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        price_list("eu-west-1", file(tmp_path / "mine.toml", text))

    assert message in caught.value.message
    assert caught.value.remedy


def test_a_file_that_is_not_there_or_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        price_list("eu-west-1", tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="table of prices"):
        price_list("eu-west-1", tmp_path / "binary.toml")


def test_the_table_is_a_file_that_a_user_can_start_from() -> None:
    assert price_list("eu-west-1", TABLE).prices == price_list("eu-west-1").prices
