"""The findings of `etl new`: types, candidates for the cursor, keys, types of items, TTL, personal data."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from etl.model.keys import KeyAttribute, keys_text, parse_keys
from etl.model.settings_sources import FILE, parse
from etl_cli.proposal.choices import Answers, ChoiceError
from etl_cli.proposal.costs import outlooks
from etl_cli.proposal.profile import MOST_DISTINCT, MOST_NAMES
from etl_cli.proposal.sampling import MOST_BYTES, SEGMENTS, expected_units, segments_of
from etl_cli.proposal.shapes import masked, shape_of
from etl_cli.terminal.errors import UserError
from tests.proposals import NOW, Item, described, files_of, found, proposed

SECOND = int(NOW.timestamp())


def settings(items: list[Item], *given: Any, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(files_of(proposed(items, *given, **options))[FILE])["settings"]
    return found


def items(number: int, **attributes: Any) -> list[Item]:
    """Items with these attributes; a function is called with the item's number."""
    return [
        {"id": {"S": f"id-{n}"}, **{name: each(n) if callable(each) else each for name, each in attributes.items()}}
        for n in range(number)
    ]


def ago(hours: float, unit: int = 1) -> dict[str, str]:
    return {"N": str(int((SECOND - hours * 3600) * unit))}


def looks(path: str, findings: Any) -> list[str]:
    names = tuple(path.split("."))
    return list(findings.looks_like(names, findings.profile.at(names)))


def test_types_and_shares_of_nested_attributes() -> None:
    sample = [
        {"id": {"S": "a"}, "audit": {"M": {"by": {"S": "x"}, "n": {"N": "1"}}}, "list": {"L": [{"N": "1"}, {"S": ""}]}},
        {"id": {"S": "b"}, "audit": {"M": {"by": {"NULL": True}}}},
    ]
    profile = found(sample).profile
    audit, elements = profile.at(("audit", "by")), profile.root.names["list"].elements

    assert audit is not None
    assert elements is not None
    assert audit.types == {"S": 1, "NULL": 1}
    assert profile.share(("audit", "n")) == profile.share(("list",)) == 0.5
    assert elements.types == {"N": 1, "S": 1}


def test_maps_whose_names_are_data_have_no_attributes() -> None:
    by_id = {"M": {f"customer-{n}": {"N": "1"} for n in range(MOST_NAMES + 1)}}
    mails = {"M": {"a@example.com": {"N": "1"}}}
    proposal = proposed(items(3, by_id=by_id, mails=mails))
    source = "".join(files_of(proposal).values())

    assert {path for path, _ in proposal.profile.paths()} == {("id",), ("by_id",), ("mails",)}
    assert "customer-" not in source
    assert "example.com" not in source


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"S": "2026-11-20T10:00:00Z"}, "iso"),
        ({"S": "2026-11-20T10:00:00+01:00"}, "iso_offset"),
        ({"S": "2026-11-20 10:00"}, "iso_local"),
        ({"S": "2026-11-20"}, "date"),
        (ago(1), "epoch_s"),
        (ago(1, 10**3), "epoch_ms"),
        (ago(1, 10**6), "epoch_us"),
        (ago(1, 10**9), "epoch_ns"),
        ({"S": ago(1, 10**3)["N"]}, "epoch_ms"),
    ],
)
def test_the_format_is_the_one_that_the_values_parse_as(value: Item, form: str) -> None:
    written = settings(items(5, changed=value))

    assert (written["source_cursor"], written["source_cursor_format"]) == ("changed", form)


@pytest.mark.parametrize(
    "value", [{"N": "12"}, {"N": "2026"}, {"S": "12"}, {"S": "x"}, {"S": "24.12.2026"}, {"BOOL": True}]
)
def test_other_values_are_no_candidates(value: Item) -> None:
    assert found(items(5, changed=value)).candidates == []
    assert settings(items(5, changed=value))["source_cursor_format"] == "none"


def test_a_change_is_better_than_a_creation_and_a_path_is_one() -> None:
    both = items(5, createdAt={"S": "2026-11-20T10:00:00Z"}, audit={"M": {"last.update": ago(2)}})
    proposal = proposed(both)

    assert [each.time.text for each in proposal.candidates] == [r"audit.last\.update", "createdAt"]
    assert settings(both)["source_cursor"] == r"audit.last\.update"
    assert parse("source_cursor", settings(both)["source_cursor"])


def test_items_without_the_cursor_are_included() -> None:
    some = items(10, changed=lambda n: ago(n) if n else {"S": "soon"})

    assert settings(some)["source_cursor_missing"] == "include"
    assert "source_cursor_missing" not in settings(items(10, changed=ago(1)))


def test_candidates_as_good_as_each_other_are_left_to_you() -> None:
    tied = items(5, updated={"S": "2026-11-20T10:00:00Z"}, modified={"S": "2026-11-20T10:00:00Z"})

    with pytest.raises(ChoiceError) as refused:
        proposed(tied)
    assert refused.value.remedy_lines == ("--cursor modified", "--cursor updated")
    assert settings(tied, answers=Answers(cursor="updated"))["source_cursor"] == "updated"
    assert settings(tied, answers=Answers(cursor="none"))["source_cursor_format"] == "none"


def test_your_cursor_must_hold_times() -> None:
    with pytest.raises(UserError, match="name"):
        proposed(items(5, name={"S": "x"}), answers=Answers(cursor="name"))
    with pytest.raises(UserError, match="date"):
        proposed(items(5, at=ago(1)), answers=Answers(cursor="at", cursor_format="date"))


def test_an_expiry_is_no_cursor() -> None:
    findings = found(items(5, ttl=ago(-24 * 90), deleted=ago(-24 * 40), updated=ago(1)))

    assert [each.time.text for each in findings.candidates] == ["updated"]
    assert looks("ttl", findings) == looks("deleted", findings) == ["TTL"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contact", {"S": "jane.doe@example.com"}),
        ("contact", {"S": "+49 30 1234567"}),
        ("contact", {"S": "192.168.10.1"}),
        ("contact", {"S": "DE89 3704 0044 0532 0130 00"}),
        ("contact", {"S": "4111 1111 1111 1111"}),
        ("customer_e-mail", {"S": "x"}),
        ("lastName", {"S": "x"}),
        ("dateOfBirth", {"S": "x"}),
    ],
)
def test_personal_data_is_known_by_shape_or_name(name: str, value: Item) -> None:
    findings = found(items(3, **{name: value}))
    source = files_of(proposed(items(3, **{name: value})))["transformation.py"]

    assert looks(name, findings) == ["personal data"]
    assert "hash it" in source


@pytest.mark.parametrize(
    "text", ["4111 1111 1111 1112", "1.2.3", "1.2.3.", "a@b", "2026-11-20", "order-1", "ORDER#1", ""]
)
def test_other_texts_have_no_shape(text: str) -> None:
    assert shape_of(text) is None


@pytest.mark.parametrize(
    ("value", "mask"),
    [("anna@mail.example.com", "a…@…com"), (Decimal("123.45"), "5 digits"), (7, "1 digit"), ("secret", "6 characters")],
)
def test_examples_are_masked(value: Any, mask: str) -> None:
    assert masked(value) == mask


def single_table(number: int = 30) -> list[Item]:
    kinds = ("ORDER", "CUSTOMER", "PRODUCT")
    return [{"pk": {"S": f"C#{n}"}, "sk": {"S": f"{kinds[n % 3]}#{n}"}, f"a{n % 3}": {"N": "1"}} for n in range(number)]


def test_types_are_told_by_the_prefix_of_a_key() -> None:
    findings = found(single_table(), "pk:S,sk:S")

    assert {each.label for each in findings.types} == {"ORDER", "CUSTOMER", "PRODUCT"}
    assert looks("sk", findings) == ["key", "entity type"]


def test_one_type_has_a_filter_and_a_contract_of_its_own() -> None:
    proposal = proposed(single_table(), "pk:S,sk:S", answers=Answers(entity="CUSTOMER"))
    files = files_of(proposal)
    source_filter = tomllib.loads(files[FILE])["settings"]["source_filter"]

    assert proposal.profile.items == 10
    assert parse("source_filter", source_filter)
    assert source_filter["values"] == {":type": "CUSTOMER#"}
    assert "a1: Number" in files["transformation.py"]
    assert "a0" not in files["transformation.py"]


def test_types_are_told_by_an_attribute_of_that_name() -> None:
    sample = items(12, entityType=lambda n: {"S": ("order", "customer")[n % 2]}, status=lambda n: {"S": "ab"[n % 2]})
    findings = found(sample)

    assert [(each.attribute, each.label) for each in findings.types] == [
        ("entityType", "order"),
        ("entityType", "customer"),
    ]


@pytest.mark.parametrize(
    "values", [["ORDER#"] * 12, ["x"] * 12, [f"USER{n}#" for n in range(MOST_DISTINCT + 1)], ["A#", "B#"] + ["1"] * 10]
)
def test_one_prefix_many_prefixes_or_few_items_with_one_are_no_types(values: list[str]) -> None:
    sample = [{"id": {"S": f"{value}{n}"}} for n, value in enumerate(values)]

    assert found(sample).types == []


def test_types_are_left_to_you() -> None:
    with pytest.raises(ChoiceError) as refused:
        proposed(single_table(), "pk:S,sk:S", answers=Answers())
    assert "--entity ORDER" in refused.value.remedy_lines
    with pytest.raises(UserError, match="ORDER"):
        proposed(single_table(), "pk:S,sk:S", answers=Answers(entity="INVOICE"))


def test_a_provisioned_table_gets_a_ceiling() -> None:
    assert settings(items(1), read_units=400)["source_read_units_per_second"] == 100
    assert settings(items(1), read_units=1)["source_read_units_per_second"] == 1
    assert "source_read_units_per_second" not in settings(items(1))


def test_the_units_of_a_sample_are_known_before() -> None:
    large = described(items=10_000, size_bytes=10_000 * 16_384)

    assert expected_units(large, 1_000) == 2_000 + SEGMENTS
    assert expected_units(described(items=100, size_bytes=81_920), 1_000) == 10 + 1
    assert expected_units(large, 100_000) <= MOST_BYTES / 8_192 + SEGMENTS + 1
    assert segments_of(large, 1_000) == segments_of(described(), 1_000) == SEGMENTS


def test_a_night_costs_less_than_the_first_run_and_nothing_is_free() -> None:
    proposal = proposed(items(100, updated=lambda n: ago(n * 24)))
    table = described(items=1_000_000, size_bytes=400_000_000)
    costs = outlooks(replace(proposal, found=replace(proposal.found, table=table)))

    assert costs.first.items == 1_000_000
    assert 10_000 <= costs.nightly.items <= 20_000
    assert 0 < costs.nightly.cost.total < costs.first.cost.total
    assert costs.first.cost.usage.read_units == costs.nightly.cost.usage.read_units


@pytest.mark.parametrize("name", ["plain", "a,b", "a\\b", "a:b", "\\,", "a b"])
def test_a_key_is_written_as_it_is_read(name: str) -> None:
    key = (KeyAttribute("pk", "N"), KeyAttribute(name, "B"))

    assert parse_keys(keys_text(key)) == key
