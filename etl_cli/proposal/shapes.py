"""Texts and names that look like personal data, and masks for examples."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_SHAPES = {
    "an e-mail address": re.compile(r"[^@\s]{1,64}@[^@\s]+\.[A-Za-z]{2,24}"),
    "an IBAN": re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?"),
    "a phone number": re.compile(r"\+[0-9](?:[ ()/.-]{0,2}[0-9]){6,14}"),
    "an IP address": re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!\Z)|\Z)){4}"),
    "a card number": re.compile(r"[0-9](?:[ -]?[0-9]){12,18}"),
}
# Parts of names, in lower case and without signs between their words.
_NAMES = {
    "an e-mail address": ("email", "mailaddress"),
    "a phone number": ("phone", "mobile", "telefon"),
    "a person's name": ("firstname", "lastname", "surname", "fullname", "givenname", "familyname", "customername"),
    "an address": ("street", "postcode", "postalcode", "zipcode", "homeaddress", "shippingaddress", "billingaddress"),
    "a birthday": ("birthday", "birthdate", "dateofbirth", "dob"),
    "a person's number": ("ssn", "socialsecurity", "passport", "taxid", "nationalid"),
    "an IBAN": ("iban",),
    "a card number": ("cardnumber", "creditcard"),
    "an IP address": ("ipaddress", "clientip", "remoteip"),
}
_WORD = re.compile(r"[^a-z0-9]+")


def shape_of(text: str) -> str | None:
    """The personal data that a text looks like; None if it looks like none."""
    for name, shape in _SHAPES.items():
        if shape.fullmatch(text) and (name != "a card number" or _adds_up(text)):
            return name
    return None


def personal_name(name: str) -> str | None:
    """The personal data that the name of an attribute stands for; None if it stands for none."""
    plain = _WORD.sub("", name.lower())
    return next((kind for kind, parts in _NAMES.items() if any(map(plain.__contains__, parts))), None)


def digits_of(number: int | Decimal) -> int:
    """The number of a number's digits."""
    return len(str(abs(number))) if isinstance(number, int) else len(number.as_tuple().digits)


def masked(value: Any) -> str:
    """An example of a value that shows its shape and not the value."""
    if isinstance(value, (int, Decimal)):
        digits = digits_of(value)
        return f"{digits} digit{'' if digits == 1 else 's'}"
    if isinstance(value, str) and shape_of(value) == "an e-mail address":
        return f"{value[0]}…@…{value[value.rindex('.') + 1 :]}"
    if isinstance(value, str):
        return f"{len(value):,} character{'' if len(value) == 1 else 's'}"
    return ""


def _adds_up(number: str) -> bool:
    """Whether a card's number has the right check digit. Source: ISO/IEC 7812-1, annex B (Luhn)."""
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    return sum(sum(divmod(2 * each, 10)) if place % 2 else each for place, each in enumerate(digits)) % 10 == 0
