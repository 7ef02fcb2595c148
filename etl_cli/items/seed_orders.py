"""A made-up order of a coffee shop, with all ten types of DynamoDB attributes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from etl.model.schema import SOURCE_KEY, TIME

_CENT = Decimal("0.01")
_DEAR = Decimal(50)  # nobody buys a dozen
_DISCOUNTS = [Decimal(1), Decimal(1), Decimal(1), Decimal("0.9"), Decimal("0.75")]

# Name, unit price in EUR, grams.
_PRODUCTS = [
    ("Yirgacheffe beans", "14.90", 500),
    ("Finca El Paraíso, honey process", "19.50", 250),
    ("Café de Olla", "9.80", 250),
    ("Türk kahvesi", "7.40", 200),
    ("Sample sachet", "0.00", 12),
    ("深煎りブレンド", "16.20", 300),
    ("Кофе «Утро»", "11.00", 400),
    ("Espresso Sant'Eustachio", "13.75", 500),
    ("Hario V60 ⌀ 02", "24.50", 380),
    ("Gooseneck kettle 0.9 L", "89.00", 1150),
    ("Hand grinder, 38 mm burrs", "129.00", 640),
    ("Espresso machine, dual boiler", "1849.00", 22400),
    ("Paper filters, 100", "5.20", 110),
    ("Cleaning tablets", "8.95", 96),
    ("Scale ±0.1 g", "39.90", 320),
    ("Tasting set ☕☕☕", "32.00", 600),
]
_PEOPLE = [
    "Ada Núñez",
    "Björk Ólafsdóttir",
    "Chloé Lefèvre",
    "Dvořák Jan",
    "Eun-ji 김",
    "Zoë O'Brien",
    "王秀英",
    "Ngô Thị Mai",
]
_PLACES = [
    ("Lisboa", "PT", "Rua da Bica 12", "38.7103", "-9.1459"),
    ("København", "DK", "Jægersborggade 7", "55.6918", "12.5424"),
    ("Zürich", "CH", "Brauerstraße 44", "47.3769", "8.5273"),
    ("Reykjavík", "IS", "Laugavegur 22", "64.1450", "-21.9255"),
    ("Kraków", "PL", "ul. Józefa 3", "50.0511", "19.9456"),
    ("Θεσσαλονίκη", "GR", "Οδός Αγίου Δημητρίου 90", "40.6401", "22.9444"),
]
_TAGS = ["first-order", "gift", "newsletter", "office", "priority", "subscription"]
_NOTES = ["", "", "", "Leave it with the neighbour, please.", "Ring twice 🔔", "Merci beaucoup !", "No plastic"]


def make_order(number: int, placed: datetime, dice: random.Random) -> dict[str, Any]:
    """Make the order with this number, placed at an aware time. The dice decide everything else."""
    lines = [_line(dice) for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4)))]
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return {
        SOURCE_KEY: f"order-{number:06d}",
        TIME: _instant(placed, dice),
        "name": lines[0]["product"] + more,
        "value": sum((line["price"] * line["quantity"] for line in lines), Decimal(0)),
        "currency": "EUR",
        "eur_per_unit": _digits(dice, 38, -37),
        "customer": _customer(dice),
        "lines": lines,
        "note": dice.choice(_NOTES),
        "express": dice.random() < 0.2,
        "cancelled_at": None,
        "tags": set(dice.sample(_TAGS, dice.randint(1, 3))),
        "parcels_kg": {Decimal(grams) / 1000 for grams in dice.sample(range(50, 30000), dice.randint(1, 3))},
        "barcode": number.to_bytes(4) + dice.randbytes(4),
        "seals": {dice.randbytes(3) for _ in range(2)},
    }


def _line(dice: random.Random) -> dict[str, Any]:
    product, price, grams = dice.choice(_PRODUCTS)
    most = 12 if Decimal(price) < _DEAR else 1
    return {
        "product": product,
        "price": (Decimal(price) * dice.choice(_DISCOUNTS)).quantize(_CENT),
        "quantity": min(most, dice.choice((1, 1, 1, 1, 2, 2, 3, 12))),
        "weight_g": grams,
        "options": dice.sample(["ground", "wrapped", "decaf"], dice.randint(0, 2)),
        "lot": {"roasted": dice.random() < 0.7, "defects": _digits(dice, 3, -dice.randint(4, 60))},
    }


def _customer(dice: random.Random) -> dict[str, Any]:
    city, country, street, latitude, longitude = dice.choice(_PLACES)
    name = dice.choice(_PEOPLE)
    return {
        "name": name,
        "email": f"customer{dice.randint(1, 900)}@example.com",
        "address": {
            "street": street,
            "city": city,
            "country": country,
            "location": {"lat": Decimal(latitude), "lon": Decimal(longitude)},
        },
        "loyalty": {} if dice.random() < 0.5 else {"points": dice.randint(1, 9999), "since": dice.randint(2014, 2026)},
    }


def _digits(dice: random.Random, count: int, exponent: int) -> Decimal:
    """A positive number with this many significant digits; the last is not 0."""
    digits = [dice.randint(1, 9), *(dice.randint(0, 9) for _ in range(count - 2)), dice.randint(1, 9)]
    return Decimal((0, tuple(digits), exponent))


def _instant(moment: datetime, dice: random.Random) -> str:
    """An instant in UTC, with or without a fraction of a second, as sources write it."""
    moment = moment.astimezone(UTC)
    timespec = dice.choice(("seconds", "milliseconds", "microseconds"))
    if moment.microsecond == 0 and timespec == "microseconds":
        moment -= timedelta(microseconds=1)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
