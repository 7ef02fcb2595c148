import msgspec

from etl.run import Run, Work, total
from tests.unit.builders import run, work


def test_a_count_that_stays_zero_is_not_written_down() -> None:
    segment = work()
    segment.count("dropped", 0)

    assert segment.counts == {}


def test_counts_add_up() -> None:
    segment = work(read=2)
    segment.count("read")
    segment.count("read", 3)

    assert segment.counted("read") == 6


def test_what_was_never_counted_is_zero() -> None:
    assert work().counted("read") == 0


def test_works_do_not_share_their_counts() -> None:
    one, other = Work(segment=0), Work(segment=1)
    one.count("read")

    assert other.counts == {}


def test_a_total_is_over_all_segments() -> None:
    assert total([work(read=2), work(segment=1), work(segment=2, read=3)], "read") == 5


def test_a_run_travels_as_json() -> None:
    assert msgspec.convert(msgspec.to_builtins(run()), Run) == run()


def test_a_work_travels_as_json() -> None:
    travelled = msgspec.to_builtins(work(segment=3, cursor={"key": {"id": {"S": "x"}}}, read=1))

    assert travelled == {
        "segment": 3,
        "done": False,
        "cursor": {"key": {"id": {"S": "x"}}},
        "key": "",
        "counts": {"read": 1},
    }
