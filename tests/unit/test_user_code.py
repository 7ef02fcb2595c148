from collections.abc import Iterator
from decimal import Context, Decimal, Inexact, getcontext, setcontext
from functools import partial
from types import SimpleNamespace
from typing import Any, TypedDict

import msgspec
import pytest

from etl.model.errors import TransformationError
from etl.model.rejection import RejectedError, UntimedError
from etl.user.aggregates import Aggregate
from etl.user.transformation import MOST_LINE_BYTES, MOST_RESULTS_BYTES, Transformation, preview
from etl.values.item_size import MAX_ITEM_BYTES, least_size
from tests.unit.builders import MinimalContract, run, user_code

RECORD = {"id": "x", "timestamp": "2024-01-15T10:00:00Z"}


class WithFloat(TypedDict):
    score: float


def results(transform: Any, record: dict[str, Any] | None = None, **more: Any) -> list[dict[str, Any]]:
    """The documents that a record becomes."""
    return [msgspec.json.decode(line) for line, _ in applied(user_code(transform, **more), record)]


def applied(user: Transformation, record: dict[str, Any] | None = None) -> list[tuple[bytes, dict[str, Any]]]:
    """The results of a record: the line of each result, and the result as it was when it came."""
    checked = dict(record or RECORD)
    (breach,) = user.check([checked], run())
    if isinstance(breach, RejectedError):
        raise breach
    return [(line, result) for line, (result,) in user.apply(checked, run(), [dict])]


def rejection(transform: Any, record: dict[str, Any] | None = None) -> RejectedError:
    with pytest.raises(RejectedError) as rejected:
        results(transform, record)
    return rejected.value


def test_a_record_becomes_one() -> None:
    assert results(lambda record, _: record | {"n": 1}) == [RECORD | {"n": 1}]


def test_a_record_becomes_several() -> None:
    assert results(lambda record, _: [record | {"n": 1}, record | {"n": 2}]) == [RECORD | {"n": 1}, RECORD | {"n": 2}]


def test_too_many_results_reject_a_record_before_they_exist() -> None:
    made = 0

    def endless(record: dict[str, Any], _: Any) -> Any:
        nonlocal made
        while True:
            made += 1
            yield record

    reason = rejection(endless)

    assert "at most 32 MB" in reason.rule
    assert reason.summary == f"record: {reason.rule}"
    assert reason.got == f"more after {made - 1:,} of them"
    assert MOST_RESULTS_BYTES / 1000 < made < MOST_RESULTS_BYTES / 100


@pytest.mark.parametrize("several", [False, True])
def test_maps_of_nothing_reject_a_record_whose_line_is_too_long(several: bool) -> None:
    rows = [dict.fromkeys(map(str, range(1000)))] * 2000
    assert least_size({"rows": rows}) < MAX_ITEM_BYTES

    def empty(record: dict[str, Any], _: Any) -> Any:
        return [record | {"rows": rows}] if several else record | {"rows": rows}

    reason = rejection(empty)

    assert f"{MOST_LINE_BYTES:,} bytes" in reason.rule
    assert reason.summary == f"record: {reason.rule}"


@pytest.mark.parametrize(
    ("value", "rejected"),
    [
        ("x" * 1_048_000, False),  # DynamoDB says that it is too large
        ("x" * 1_049_000, True),
        ("é" * 525_000, True),
        ([0] * 520_000, False),
        ([0] * 530_000, True),
        ([b""] * 410_000, True),
        ([b""] * 400_000, False),
        ([[]] * 400_000, True),
        ([None] * 250_000, True),
        ([True, None, 1, Decimal("1.5"), "a"] * 60_000, True),
        ({str(n): None for n in range(100_000)}, False),  # Load leaves them out
        ({str(n): 0 for n in range(150_000)}, True),
        ({Decimal(n) for n in range(200_000)}, False),
        ({b"%06d" % n for n in range(100_000)}, True),
    ],
)
def test_a_record_larger_than_an_item_is_rejected_with_its_size(value: Any, rejected: bool) -> None:
    if not rejected:
        assert len(results(lambda record, _: record | {"much": value})) == 1
        return
    reason = rejection(lambda record, _: record | {"much": value})

    assert "at most 409,600 bytes" in reason.rule
    assert 409_600 < int(reason.got.removesuffix(" bytes").replace(",", "")) < 2_000_000


def test_the_size_of_a_record_is_that_of_its_names_and_values() -> None:
    assert least_size({"é": "é", "bytes": b"abc", "none": None, "yes": True}) == 4 + 8 + 4
    assert least_size({"list": [1, None, "a"], "set": {b"a", b"bc"}}) == (4 + 3 + 3 + 3) + (3 + 3)
    assert least_size({"map": {"a": 1, "none": None}}) == 3 + 3 + 2 + 1


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_a_record_becomes_none(nothing: Any) -> None:
    assert results(lambda *_: nothing) == []


def test_a_record_may_be_changed_in_place() -> None:
    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        record["n"] = 1
        return record

    assert results(transform) == [RECORD | {"n": 1}]


def test_a_generator_may_yield_the_same_dict_again_and_again() -> None:
    def transform(record: dict[str, Any], _: Any) -> Iterator[dict[str, Any]]:
        for n in range(3):
            record["n"] = n
            yield record

    results = applied(user_code(transform))

    assert [(result["n"], msgspec.json.decode(line)["n"]) for line, result in results] == [(0, 0), (1, 1), (2, 2)]


def test_the_run_is_given_with_its_time() -> None:
    assert results(lambda record, run: record | {"at": run.time})[0]["at"] == run().time


def test_a_result_is_a_line_of_plain_json() -> None:
    assert results(lambda record, _: record | {"s": {"a"}})[0]["s"] == {"$set": ["a"]}


def test_transform_computes_with_38_digits() -> None:
    ((_, result),) = applied(user_code(lambda record, _: record | {"third": Decimal(1) / 3}))

    assert result["third"] == Decimal("0." + "3" * 38)


def test_a_changed_context_of_decimal_does_not_reach_the_next() -> None:
    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        third = Decimal(1) / 3
        if record["id"] == "a":
            getcontext().prec = 3
        else:
            setcontext(Context(prec=4, traps=[Inexact]))
        return record | {"third": third}

    user, ours = user_code(transform), getcontext()
    thirds = [result["third"] for name in "abab" for _, result in applied(user, RECORD | {"id": name})]

    assert thirds == [Decimal("0." + "3" * 38)] * 4
    assert getcontext() is ours


def test_a_generator_computes_with_38_digits_too() -> None:
    def transform(record: dict[str, Any], _: Any) -> Iterator[dict[str, Any]]:
        yield record | {"third": Decimal(1) / 3}

    assert applied(user_code(transform))[0][1]["third"] == Decimal("0." + "3" * 38)


def test_a_breach_of_the_contract_never_reaches_transform() -> None:
    def transform(*_: Any) -> None:
        raise AssertionError

    assert rejection(transform, RECORD | {"id": 5}).field == "id"


def test_a_record_without_a_time_never_reaches_transform() -> None:
    def transform(*_: Any) -> None:
        raise AssertionError

    assert rejection(transform, RECORD | {"timestamp": "soon"}).field == "timestamp"


class WithNumber(TypedDict):
    timestamp: float


def test_the_timestamp_is_checked_before_the_contract() -> None:
    (reason,) = user_code(lambda *_: None, contract=WithNumber).check([{"timestamp": 5}], run())

    assert isinstance(reason, RejectedError)
    assert reason.got == "an attribute of type N"


def test_a_float_is_allowed_where_the_contract_declares_one() -> None:
    record = RECORD | {"score": Decimal("0.1")}

    assert results(lambda record, _: record | {"score": record["score"] * 2}, record, contract=WithFloat) == [
        RECORD | {"score": 0.2}
    ]


def test_a_float_that_no_contract_declares_is_rejected() -> None:
    assert rejection(lambda record, _: record | {"score": 0.5}).field == "score"


def test_a_rejection_of_the_users_own_goes_through_as_it_is() -> None:
    def transform(record: dict[str, Any], _: Any) -> None:
        raise RejectedError("expected less", field="value", got=record["id"])

    assert str(rejection(transform)) == "value: expected less, got x"


def test_a_transformation_cannot_reject_an_item_as_untimed() -> None:
    def transform(*_: Any) -> None:
        raise UntimedError("expected a time", field="timestamp", got="none")

    assert type(rejection(transform)) is RejectedError


def test_an_exception_rejects_its_record_with_class_and_line() -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        return record["missing"]

    reason = rejection(transform)

    assert reason.rule == "transform() must not raise KeyError"
    assert reason.got == f"KeyError: 'missing' (test_user_code.py line {transform.__code__.co_firstlineno + 1})"


def test_the_line_is_the_users_own_even_if_a_library_raised() -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        return partial(int, base=10)(record["id"]), __import__("json").loads("{")

    def parse(*_: Any) -> Any:
        return __import__("json").loads("{")

    assert "test_user_code.py line" in rejection(transform).got
    assert f"(test_user_code.py line {parse.__code__.co_firstlineno + 1})" in rejection(parse).got


def test_an_exception_of_a_generator_rejects_the_record_whole() -> None:
    def transform(record: dict[str, Any], _: Any) -> Iterator[dict[str, Any]]:
        yield record
        raise ValueError("second")

    assert rejection(transform).got.startswith("ValueError: second (")


def test_a_transform_of_the_wrong_arity_rejects_with_the_reason() -> None:
    assert "takes 1 positional argument but 2 were given" in rejection(lambda record: record).got


def test_a_transform_that_is_a_partial_rejects_with_a_line() -> None:
    assert "ZeroDivisionError" in rejection(partial(lambda *_: 1 // 0)).got


def test_an_endless_recursion_rejects_the_record() -> None:
    def transform(record: dict[str, Any], run: Any) -> Any:
        return transform(record, run)

    assert rejection(transform).rule == "transform() must not raise RecursionError"


def test_the_pipelines_own_errors_reject_like_any_other() -> None:
    def transform(*_: Any) -> Any:
        raise TransformationError("not yours")

    assert rejection(transform).got.startswith("TransformationError: not yours")


def test_a_long_message_is_cut() -> None:
    def transform(*_: Any) -> Any:
        raise ValueError("x" * 10_000)

    assert len(rejection(transform).got) < 600


def test_an_error_without_a_message_of_its_own_rejects() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def transform(*_: Any) -> Any:
        raise BrokenError

    assert rejection(transform).got.startswith("BrokenError: ")


@pytest.mark.parametrize("result", [5, "x", b"x", 1.5, [RECORD, None], [[RECORD]], ["x"], object()])
def test_a_result_that_is_no_record_is_rejected(result: Any) -> None:
    assert rejection(lambda *_: result).rule == "transform() must return a dict, a list of dicts or None"


@pytest.mark.parametrize("key", ["id", "timestamp"])
@pytest.mark.parametrize("value", [None, "", 5, {"a"}, b"x"])
def test_a_result_needs_the_destinations_key(key: str, value: Any) -> None:
    assert rejection(lambda record, _: record | {key: value}).field == key


@pytest.mark.parametrize("key", ["id", "timestamp"])
def test_a_result_without_the_destinations_key_is_rejected(key: str) -> None:
    reason = rejection(lambda record, _: {name: value for name, value in record.items() if name != key})

    assert (reason.field, reason.got) == (key, "None")


@pytest.mark.parametrize("name", ["Contract", "transform"])
@pytest.mark.parametrize("given", [{}, {"Contract": None, "transform": None}])
def test_a_file_without_contract_or_transform_is_refused(name: str, given: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"Contract": MinimalContract, "transform": lambda *_: None}
    rest = {each: value for each, value in whole.items() if each != name}

    with pytest.raises(TransformationError, match=f"{name}, got None"):
        Transformation(SimpleNamespace(**rest | {each: value for each, value in given.items() if each == name}))


def test_a_file_without_aggregates_has_none() -> None:
    module = SimpleNamespace(Contract=MinimalContract, transform=lambda *_: None)

    assert Transformation(module).aggregates == []


@pytest.mark.parametrize("aggregates", [Aggregate(name="a"), ["a"], [{"name": "a"}], {"a": 1}, None, "a"])
def test_aggregates_are_a_list_of_aggregates(aggregates: Any) -> None:
    with pytest.raises(TransformationError, match="AGGREGATES"):
        user_code(lambda *_: None, aggregates=aggregates)


def test_each_aggregate_needs_a_name_of_its_own() -> None:
    with pytest.raises(TransformationError, match=r"AGGREGATES: .* got a, b, a"):
        user_code(lambda *_: None, aggregates=[Aggregate(name=name) for name in "aba"])


def previewed(transform: Any, record: dict[str, Any], aggregates: Any = ()) -> list[dict[str, Any]]:
    module = SimpleNamespace(Contract=MinimalContract, transform=transform, AGGREGATES=aggregates)
    return preview(module, record)


def test_a_preview_gives_the_records_as_python_values() -> None:
    assert previewed(lambda record, _: [record | {"tags": {"a"}}], RECORD) == [RECORD | {"tags": {"a"}}]


def test_a_preview_leaves_its_record_as_it_is() -> None:
    record = RECORD | {"inner": {"n": 1}}

    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        record["inner"]["n"] = 2
        return record

    assert previewed(transform, record)[0]["inner"] == {"n": 2}
    assert record["inner"] == {"n": 1}


def test_a_preview_has_an_example_run() -> None:
    assert previewed(lambda record, run: record | {"at": run.end}, RECORD)[0]["at"] == "2024-01-16T00:00:00Z"


def test_a_preview_rejects_what_a_run_would_reject() -> None:
    aggregate = Aggregate(name="a", of={"n": ["sum"]})

    for transform in (lambda *_: 5, lambda record, _: record | {"n": "one"}):
        with pytest.raises(RejectedError):
            previewed(transform, RECORD, [aggregate])


def test_a_preview_rejects_what_has_no_time() -> None:
    with pytest.raises(RejectedError, match=r"^timestamp: "):
        previewed(lambda record, _: record, RECORD | {"timestamp": "soon"})
