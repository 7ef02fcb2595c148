import pickle
import time
import tracemalloc
import weakref
from contextlib import nullcontext
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import msgspec
import pytest

from etl.model.rejection import OutOfMemoryError, RejectedError, TooSlowError, UntimedError
from etl.user.aggregates import Aggregate
from etl.user.isolation import IsolatedRecords
from etl.user.records import MADE_BYTES, Made, Records
from etl.user.transformation import MOST_RESULTS_BYTES, Transformation
from tests.unit.builders import run, through, user_code
from tests.unit.test_isolation import fates, lines, striking

BACKTRACKING = "a" * 40 + "b"


class Patterned(TypedDict):
    name: Annotated[str, msgspec.Meta(pattern="^((a+)+b?|Item .*)$")]


def limited(user: Transformation, given: list[bytes]) -> list[Made]:
    """What becomes of records of which each may take a second."""
    with through(user, seconds=1) as records:
        return records(given)


def test_each_record_has_a_fate_in_the_order_of_the_lines() -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        if record["value"] == 1:
            raise RejectedError("expected not one", field="value", got=1)
        return None if record["value"] == 2 else [record, record]

    given = [*(lines(1, value=str(value))[0] for value in range(3)), *lines(1, timestamp="2999-01-01T00:00:00Z")]
    made = through(user_code(transform))(given)

    assert [len(each) if isinstance(each, list) else each for each in (made[0], made[2], made[3])] == [2, 0, "ahead"]
    assert fates(made) == ["kept", "1", "kept", "ahead"]


def test_a_record_with_which_the_results_are_many_bytes_is_the_last() -> None:
    made = through(user_code(lambda record, _: [record | {"text": "x" * 300_000}] * 5))(lines(25))

    assert fates(made) == ["kept"] * 3
    assert 2 * 5 * 300_000 < MADE_BYTES < 3 * 5 * 300_000


@pytest.mark.parametrize("way", [nullcontext, lambda records: IsolatedRecords(records, None, lambda: 0.0)])
def test_what_aggregates_make_of_results_is_much_as_well(way: Any) -> None:
    aggregates = [Aggregate(name=f"by_value_{number}", by=["value"], of={"value": ["sum"]}) for number in range(20)]
    several = user_code(lambda record, _: [record] * 300, aggregates=aggregates)
    with way(through(several)) as records:
        made = records(lines(25))

    assert fates(made) == ["kept"] * 2
    assert 300 * 20 * 256 < MADE_BYTES < 2 * 300 * 20 * (256 + 112)


def test_what_one_record_becomes_takes_no_more_memory_than_it_may() -> None:
    names = [f"n{number}" for number in range(40)]
    some = 0

    def transform(record: dict[str, Any], _: Any) -> Any:
        nonlocal some
        while True:
            yield {"id": "a", "timestamp": record["timestamp"]} | {name: Decimal("1.5") for name in names}
            some += 1
            largest[:] = [max(*largest, tracemalloc.get_traced_memory()[0])]

    largest = [0, 0]
    user = user_code(transform, aggregates=[Aggregate(name="all", of={name: ["sum"] for name in names})])
    tracemalloc.start()
    try:
        (made,) = through(user)(lines(1))
    finally:
        tracemalloc.stop()

    assert isinstance(made, RejectedError)
    assert some > 1000
    assert largest[0] < MOST_RESULTS_BYTES * 1.1


@pytest.mark.parametrize("rejected", [False, True])
def test_a_record_is_let_go_when_it_is_done(rejected: bool) -> None:
    grown: list[weakref.ref[set[int]]] = []
    alive: list[int] = []

    def transform(record: dict[str, Any], _: Any) -> None:
        alive.append(sum(each() is not None for each in grown))
        record["kept"] = set(range(10))
        grown.append(weakref.ref(record["kept"]))
        if rejected:
            raise ValueError

    through(user_code(transform))(lines(25))

    assert max(alive) <= 1


def test_a_memory_error_is_told_by_the_records_size_and_the_line() -> None:
    (made,) = through(user_code(lambda _, __: bytearray(2**60)))(lines(1))

    assert type(made) is OutOfMemoryError
    assert made.summary == f"record: {made.rule}"
    assert made.got.startswith(f"{len(lines(1)[0])} bytes of JSON (test_records.py line ")
    assert vars(pickle.loads(pickle.dumps(made))) == vars(made)  # noqa: S301 - its own


def test_a_record_that_is_stopped_is_the_last_of_its_batch() -> None:
    made = limited(user_code(striking({2}, lambda: time.sleep(300))), lines(5))

    assert len(made) == 3
    assert isinstance(made[2], TooSlowError)
    assert made[2].rule == "transform() must return within 1 s"
    assert made[2].got.startswith("no result by then (test_isolation.py line ")


def test_a_generator_that_never_ends_is_stopped() -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        yield record
        while True:
            time.sleep(0.01)

    (made,) = limited(user_code(transform), lines(1))

    assert isinstance(made, TooSlowError)


def test_an_error_whose_text_takes_for_ever_is_stopped() -> None:
    class SlowError(Exception):
        def __str__(self) -> str:
            time.sleep(300)
            return ""

    def transform(*_: Any) -> Any:
        raise SlowError

    (made,) = limited(user_code(transform), lines(1))

    assert isinstance(made, RejectedError)


def test_a_pattern_of_the_contract_that_takes_for_ever_rejects_its_record_alone() -> None:
    given = [*lines(2), *lines(1, name={"S": BACKTRACKING + "!"}), *lines(1)]
    made = limited(user_code(lambda record, _: record, contract=Patterned), given)

    assert fates(made) == ["kept", "kept", "no result by then (a check of the contract)"]


def test_the_contract_is_not_asked_about_an_item_without_a_time() -> None:
    given = lines(1, name={"S": BACKTRACKING + "!"}, timestamp="soon")
    (made,) = limited(user_code(lambda record, _: record, contract=Patterned), given)

    assert type(made) is UntimedError


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"id":{"S":"a"}},{"id":{"S":"b"}}', b""])
def test_a_line_without_exactly_one_record_is_no_line(line: bytes) -> None:
    with pytest.raises((ValueError, msgspec.DecodeError)):
        through(user_code(lambda record, _: record))([line])


def test_whoever_wants_to_know_is_told_which_record_is_next() -> None:
    told: list[int] = []
    records = Records(user_code(lambda record, _: record), run(), 10)
    records(lines(3), told.append)

    assert told == [0, 1, 2]
