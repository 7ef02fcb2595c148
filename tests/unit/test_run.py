import json

import msgspec
import pytest

from etl.model.counts import COUNTS
from etl.model.run import Run, Work, total, totals
from tests.unit.builders import run, work


def test_a_count_that_stays_zero_is_not_written_down() -> None:
    segment = work()
    segment.count("dropped", 0)

    assert segment.counts == []


def test_counts_add_up() -> None:
    segment = work(read=2)
    segment.count("read")
    segment.count("read", 3)

    assert segment.counted("read") == 6


def test_what_was_never_counted_is_zero() -> None:
    assert work().counted("read") == work(scanned=1).counted("read") == work(loaded=1).counted("read") == 0


@pytest.mark.parametrize("amount", [0, 1])
def test_a_count_without_a_place_in_the_state_is_an_error(amount: int) -> None:
    with pytest.raises(KeyError, match="rejcted"):
        work().count("rejcted", amount)

    with pytest.raises(KeyError, match="rejcted"):
        work().counted("rejcted")


def test_every_count_has_a_place_of_its_own() -> None:
    amounts = {name: number for number, name in enumerate(COUNTS, start=1)}
    segment = work()
    for name, amount in amounts.items():
        segment.count(name, amount)

    assert segment.by_name() == amounts
    assert segment.counts == list(amounts.values())


def test_named_counts_leave_out_zeros() -> None:
    assert work(read=2, loaded=1).by_name() == {"read": 2, "loaded": 1}


def test_works_do_not_share_their_counts() -> None:
    one, other = Work(segment=0), Work(segment=1)
    one.count("read")

    assert other.counts == []


def test_a_total_is_over_all_segments() -> None:
    segments = [work(read=2), work(segment=1), work(segment=2, read=3)]

    assert total(segments, "read") == 5
    assert totals(segments) == dict.fromkeys(COUNTS, 0) | {"read": 5}


def test_a_run_travels_as_json() -> None:
    assert msgspec.convert(msgspec.to_builtins(run()), Run) == run()


@pytest.mark.parametrize(
    ("given", "travelled"),
    [
        (work(segment=3), {"segment": 3}),
        (work(scanned=2, extracted=1), {"segment": 0, "counts": [2, 0, 0, 0, 1]}),
        (
            work(cursor={"key": {"id": {"S": "x"}}}, read=1),
            {"segment": 0, "cursor": {"key": {"id": {"S": "x"}}}, "counts": [0, 1]},
        ),
    ],
)
def test_a_work_travels_as_short_json(given: Work, travelled: dict[str, object]) -> None:
    assert msgspec.to_builtins(given) == travelled
    assert msgspec.convert(json.loads(json.dumps(travelled)), Work) == given


def test_a_work_is_done_when_it_has_no_cursor() -> None:
    assert work().done
    assert not work(cursor={"part": 0, "offset": 0}).done
