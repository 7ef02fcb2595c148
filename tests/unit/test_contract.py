from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from msgspec import Meta

from etl.model.errors import TransformationError
from etl.model.rejection import RejectedError
from etl.user.contract import Checker, Number, Text
from etl.values.attribute_values import from_wire


class Address(TypedDict):
    city: Text
    zip: NotRequired[str]


class Order(TypedDict):
    id: Text
    amount: Number
    address: NotRequired[Address]
    lines: NotRequired[list[Address]]


def checked(hint: Any, value: Any) -> Any:
    """The attribute ``a`` of that type after its check."""
    record = {"a": value}
    check(TypedDict("Contract", {"a": hint}), record)  # type: ignore[operator]
    return record["a"]


def check(contract: Any, record: dict[str, Any]) -> None:
    """Hold a record against a contract."""
    (reason,) = Checker(contract).check([record])
    if reason:
        raise reason


def rejection(hint: Any, value: Any) -> tuple[str, str, str]:
    with pytest.raises(RejectedError) as rejected:
        checked(hint, value)
    return rejected.value.field, rejected.value.rule, rejected.value.got


def order_rejection(record: dict[str, Any]) -> str:
    with pytest.raises(RejectedError) as rejected:
        check(Order, record)
    return str(rejected.value)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Text, "x"),
        (str, ""),
        (Number, 5),
        (Number, Decimal("0.5")),
        (Number, 10**37),
        (int, 5),
        (Decimal, Decimal("0.5")),
        (bool, True),
        (bytes, b"x"),
        (None, None),
        (str | None, None),
        (list[Number], [1, Decimal("0.5")]),
        (set[str], {"x"}),
        (set[Number], {1, Decimal("0.5")}),
        (set[bytes], {b"x"}),
        (frozenset[str], {"x"}),
        (dict[str, Number], {"x": 1}),
        (list, []),
        (Literal["a", "b"], "a"),
        (datetime, "2024-01-15T10:00:00Z"),
        (Annotated[str, Meta(pattern="^[A-Z]+$")], "ABC"),
        (Annotated[int, Meta(ge=1, le=5)], 5),
        (Annotated[list[str], Meta(max_length=2)], ["x", "y"]),
        (Any, object()),
    ],
)
def test_a_value_of_the_declared_type_passes_untouched(hint: Any, value: Any) -> None:
    assert checked(hint, value) is value


@pytest.mark.parametrize(
    ("hint", "value", "expected", "got"),
    [
        (Text, "", "text of length >= 1", "str ''"),
        (Text, 5, "text", "a whole number"),
        (Number, "5", "a number", "text"),
        (Number, True, "a number", "true or false"),
        (Number, None, "a number", "null"),
        (int, Decimal("0.5"), "a whole number", "a number with a fraction (Number takes both)"),
        (Decimal, "5", "a number with a fraction (Number takes both)", "text"),
        (bool, 1, "true or false", "a whole number"),
        (bytes, "aGk=", "binary", "text"),
        (float, "5", "a number", "text"),
        (set[str], ["x"], "a set", "a list"),
        (list[str], {"x"}, "a list", "a set"),
        (frozenset[str], ["x"], "a set", "a list"),
        (dict[str, int], [], "a map", "a list or a set"),
        (Annotated[set[str], Meta(min_length=1)], ["x"], "a set", "a list"),
        (Annotated[str, Meta(pattern="^[A-Z]+$")], "abc", "text matching regex '^[A-Z]+$'", "str 'abc'"),
        (Annotated[int, Meta(le=5)], 6, "a whole number <= 5", "int 6"),
        (Literal["a", "b"], "c", "a value that the contract allows", "Invalid enum value 'c'"),
        (datetime, "soon", "a value that the contract allows", "Invalid RFC3339 encoded datetime"),
    ],
)
def test_a_value_of_another_type_is_rejected_in_words(hint: Any, value: Any, expected: str, got: str) -> None:
    assert rejection(hint, value) == ("a", f"expected {expected}", got)


def test_a_missing_attribute_is_rejected_by_name() -> None:
    assert order_rejection({"id": "x"}) == "amount: is missing"


def test_a_missing_attribute_of_a_map_is_rejected_by_its_path() -> None:
    record = {"id": "x", "amount": 1, "address": {}}

    assert order_rejection(record) == "address.city: is missing"


def test_a_wrong_value_deep_inside_is_rejected_by_its_path() -> None:
    record = {"id": "x", "amount": 1, "lines": [{"city": "Bern"}, {"city": 5}]}

    assert order_rejection(record) == "lines[1].city: expected text, got a whole number"


def test_a_value_that_breaks_a_constraint_deep_inside_is_shown() -> None:
    record = {"id": "x", "amount": 1, "lines": [{"city": ""}]}

    assert order_rejection(record) == "lines[0].city: expected text of length >= 1, got str ''"


def test_a_value_of_an_unknown_name_is_another_value() -> None:
    assert rejection(dict[str, Text], {"x": ""}) == ("a[...]", "expected text of length >= 1", "another value")


def test_a_wrong_value_below_a_name_with_a_dot_is_another_value() -> None:
    contract = TypedDict("contract", {"a.b": Text})

    with pytest.raises(RejectedError, match=r"^a\.b: .*another value"):
        check(contract, {"a.b": ""})


def test_an_attribute_that_is_not_required_may_be_absent() -> None:
    check(Order, {"id": "x", "amount": 1})


def test_attributes_outside_the_contract_are_not_looked_at() -> None:
    record = {"id": "x", "amount": 1, "note": object()}
    check(Order, record)

    assert record.keys() == {"id", "amount", "note"}


@pytest.mark.parametrize("value", [5, Decimal("5"), 5.0])
def test_a_declared_float_becomes_one(value: Any) -> None:
    number = checked(float, value)

    assert (number, type(number)) == (5.0, float)


def test_a_float_that_may_be_null_stays_exact() -> None:
    assert checked(float | None, Decimal("0.1")) == Decimal("0.1")


def test_a_whole_number_becomes_a_decimal_where_one_is_declared() -> None:
    number = checked(Decimal, 10**37 + 1)

    assert (number, type(number)) == (10**37 + 1, Decimal)


def test_only_plain_floats_of_the_record_itself_are_floats() -> None:
    contract = TypedDict("contract", {"a": float, "b": NotRequired[float], "c": float | None, "d": list[float]})  # noqa: UP013

    assert Checker(contract).floats == {"a", "b"}


@pytest.mark.parametrize("contract", [dict, SimpleNamespace, 5, Order(id="x", amount=1)])
def test_a_contract_is_a_typed_dict(contract: Any) -> None:
    with pytest.raises(TransformationError, match="TypedDict"):
        Checker(contract)


def test_an_uncheckable_contract_is_refused_before_any_record() -> None:
    contract = TypedDict("contract", {"a": Annotated[Number, Meta(ge=0)]})  # noqa: UP013

    with pytest.raises(TransformationError, match="Can only set `ge`"):
        Checker(contract)


def test_a_contract_that_names_what_does_not_exist_is_refused() -> None:
    contract = TypedDict("contract", {"a": "Nothing"})  # type: ignore[name-defined] # noqa: F821, UP013

    with pytest.raises(TransformationError, match="Nothing"):
        Checker(contract)


def test_a_contract_that_an_empty_record_fulfils_is_one() -> None:
    contract = TypedDict("contract", {"a": NotRequired[str]})  # noqa: UP013
    check(contract, {})


class Mixed(TypedDict):
    id: Text
    score: NotRequired[float]
    cents: NotRequired[Decimal]
    tags: NotRequired[set[str]]


def test_each_record_of_several_is_told_its_own_reason() -> None:
    records: list[dict[str, Any]] = [
        {"id": "a"},
        {"id": 5},
        {"id": "c", "tags": ["x"]},
        {"id": "d", "score": "5"},
        {"id": "e"},
    ]
    reasons = Checker(Mixed).check(records)

    assert [reason and str(reason) for reason in reasons] == [
        None,
        "id: expected text, got a whole number",
        "tags: expected a set, got a list",
        "score: expected a number, got text",
        None,
    ]


@pytest.mark.parametrize("others", [[], [{"id": 5}]])
def test_numbers_become_the_declared_type_beside_any_records(others: list[dict[str, Any]]) -> None:
    record = {"id": "a", "score": Decimal("0.5"), "cents": 5}
    Checker(Mixed).check([record, *others])

    assert (type(record["score"]), type(record["cents"])) == (float, Decimal)


def test_names_beyond_ascii_are_found_at_any_depth() -> None:
    class Inner(TypedDict):
        größe: int  # noqa: PLC2401 - the case

    class Outer(TypedDict):
        日本: int  # noqa: PLC2401 - the case
        maps: list[Inner]

    items = '[{"日本": {"N": "1"}, "maps": {"L": [{"M": {"größe": {"%s": "2"}}}]}}]'

    right, wrong = Checker(Outer).check([from_wire((items % kind).encode())[0] for kind in "NS"])

    assert right is None
    assert isinstance(wrong, RejectedError)
    assert wrong.field == "maps[0].größe"
