import ctypes
import faulthandler
import itertools
import json
import mmap
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from etl.invocation.metrics import peak_memory_mb
from etl.model.rejection import RejectedError, TooSlowError, UntimedError
from etl.user.aggregates import Aggregate
from etl.user.isolation import GRACE_SECONDS, IsolatedRecords, _child, limit_memory, serve, together
from etl.user.records import TOGETHER_SECONDS, Made, Records
from tests.unit.builders import item, run, through, user_code

MEBIBYTE = 1024 * 1024


def lines(count: int, **more: Any) -> list[bytes]:
    return [json.dumps(item(number, **more)).encode() for number in range(count)]


def standing() -> float:
    """A clock that doesn't move: nothing takes long by it, whatever the machine does."""
    return 0.0


def isolated(transform: Any, given: list[bytes], *, seconds: int = 10, memory_mb: float | None = None) -> list[Made]:
    with IsolatedRecords(through(user_code(transform), seconds=seconds), memory_mb, standing) as records:
        return records(given)


def fates(made: list[Made]) -> list[str]:
    """In a word what became of each record."""
    return [
        "kept" if isinstance(each, list) else each.got if isinstance(each, RejectedError) else each for each in made
    ]


def striking(positions: set[int], strike: Callable[[], object]) -> Any:
    """A transformation that strikes at some of the items."""

    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        if int(record["id"].rpartition("-")[2]) in positions:
            strike()
        return record

    return transform


def leave() -> None:
    os._exit(3)


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash_in_c() -> None:
    faulthandler.disable()  # the test runner's would print where it is
    ctypes.string_at(0)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("strike", "got"),
    [
        (leave, "an end with exit status 3"),
        (be_killed, "an end by signal SIGKILL"),
        (crash_in_c, "an end by signal SIGSEGV"),
        (interrupt, "an end with exit status 1"),
    ],
)
@pytest.mark.parametrize("positions", [{0}, {2}, {4}, {1, 3}, {0, 1, 2, 3, 4}])
def test_a_record_that_ends_its_process_is_the_only_one_set_aside(
    strike: Callable[[], object], got: str, positions: set[int]
) -> None:
    made = isolated(striking(positions, strike), lines(5))

    assert fates(made) == [got if number in positions else "kept" for number in range(5)]


def test_it_makes_of_records_what_the_same_process_makes() -> None:
    aggregates = [Aggregate(name="all", of={"value": ["sum"]}), Aggregate(name="by", by=["name"])]
    user = user_code(lambda record, run: [record | {"as_of": run.end}] * 2, aggregates=aggregates)
    given = [*lines(60), b'{"id":{"S":"x"}}', *lines(1, timestamp="2999-01-01T00:00:00Z")]
    with IsolatedRecords(through(user), 512, standing) as records:
        made = [*records(given[:30]), *records(given[30:])]

    expected = through(user)(given)
    assert [vars(each) if isinstance(each, RejectedError) else each for each in made] == [
        vars(each) if isinstance(each, RejectedError) else each for each in expected
    ]
    assert type(made[-2]) is UntimedError
    assert [made[-2].rule, made[-1]] == ["is missing", "ahead"]


def test_a_line_that_is_no_record_is_refused_as_in_the_same_process() -> None:
    with pytest.raises(ValueError, match="isn't one of DynamoDB's"):
        isolated(lambda record, _: record, [b'{"id":{"X":1}}'])


def test_a_record_that_cannot_be_interrupted_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.user.isolation.GRACE_SECONDS", 0.5)

    def hang() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        time.sleep(300)

    made = isolated(striking({1}, hang), lines(3), seconds=1)

    assert len(made) == 2  # time may be low: the rest is for the next batch
    assert isinstance(made[1], TooSlowError)
    assert made[1].got == "no result by then (it can't be interrupted)"


def test_many_records_may_take_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.user.isolation.GRACE_SECONDS", 0)
    made = isolated(striking({0, 1, 2, 3}, lambda: time.sleep(0.6)), lines(4), seconds=1)

    assert fates(made) == ["kept"] * 4


def test_a_record_that_takes_too_long_is_stopped_within_the_child() -> None:
    made = isolated(striking({1}, lambda: time.sleep(300)), lines(3), seconds=1)

    assert fates(made) == ["kept", made[1].got if isinstance(made[1], TooSlowError) else ""]
    assert "test_isolation.py line" in fates(made)[1]


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux alone")  # noqa: PTH110
def test_a_record_that_takes_too_much_memory_is_set_aside() -> None:
    made = isolated(striking({1}, lambda: bytearray(600 * MEBIBYTE)), lines(3), memory_mb=512)

    size, _, where = fates(made)[1].partition(" (")
    assert (fates(made)[::2], size) == (["kept", "kept"], f"{len(lines(2)[1])} bytes of JSON")
    assert where.startswith("test_isolation.py line")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux alone")  # noqa: PTH110
def test_a_record_that_no_memory_holds_is_told_by_its_size() -> None:
    many = json.dumps(item(1, many={"L": [{"BOOL": True}] * 2_000_000})).encode()
    made = isolated(lambda record, _: record, [*lines(1), many, *lines(1)], memory_mb=1)

    assert fates(made) == ["kept", f"{len(many):,} bytes of JSON", "kept"]


def test_a_child_ends_with_its_use() -> None:
    with IsolatedRecords(through(user_code(lambda record, _: record)), None, standing) as records:
        records(lines(1))
        (child,) = multiprocessing.active_children()

    assert not child.is_alive()
    assert multiprocessing.active_children() == []


def test_a_child_that_dies_between_two_batches_costs_no_record() -> None:
    with IsolatedRecords(through(user_code(lambda record, _: record)), None, standing) as records:
        records(lines(1))
        (child,) = multiprocessing.active_children()
        child.kill()
        child.join()

        assert fates(records(lines(3))) == ["kept"] * 3


def served(records: Records, *sent: list[bytes]) -> list[Any]:
    """What a child answers, in a thread of this process."""
    ours, theirs = multiprocessing.Pipe()
    position = mmap.mmap(-1, mmap.PAGESIZE)
    child = threading.Thread(target=serve, args=(theirs, records, position))
    child.start()
    answers = []
    for each in sent:
        ours.send(each)
        answers.append(ours.recv())
    ours.close()
    child.join()
    return answers


def test_a_child_answers_until_its_parent_is_gone() -> None:
    records = through(user_code(lambda record, _: record))
    answers = served(records, lines(2), [b"{"], lines(1))

    assert [type(answer) for answer in answers][::2] == [list, list]
    assert isinstance(answers[1], Exception)


def test_memory_is_limited_to_what_the_parent_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limit: limits.append((kind, limit)))
    monkeypatch.setattr("etl.user.isolation.peak_memory_mb", lambda: 100.0)
    limit_memory(512)
    limit_memory(100)

    (kind, (enough, _)), (_, (least, _)) = limits
    assert kind == resource.RLIMIT_AS
    assert (enough - least) // MEBIBYTE == 512 - 100 - 176 - 32


def test_another_system_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", missing)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("there is a limit"))

    limit_memory(512)


def test_the_runs_own_time_decides_what_is_ahead() -> None:
    late = lines(1, timestamp=run().time)

    assert fates(isolated(lambda record, _: record, late)) == ["ahead"]


def test_a_child_that_fails_ends_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    parents, theirs = multiprocessing.Pipe()
    records, position = through(user_code(lambda record, _: record)), mmap.mmap(-1, mmap.PAGESIZE)
    _child(parents, theirs, records, position, None)  # nobody is at the other side
    assert exits == []

    monkeypatch.setattr("etl.user.isolation.limit_memory", lambda _: 1 / 0)
    _child(multiprocessing.Pipe()[0], theirs, records, position, 512)

    assert exits == [1]
    assert capfd.readouterr() == ("", "")


def test_a_child_ends_when_nobody_hears_its_answer() -> None:
    records = through(user_code(lambda record, _: record))
    ours, theirs = multiprocessing.Pipe()
    ours.send(lines(3))
    ours.close()

    serve(theirs, records, mmap.mmap(-1, mmap.PAGESIZE))


def test_a_record_that_is_slow_only_the_second_time_is_the_one_that_is_set_aside() -> None:
    taken = mmap.mmap(-1, mmap.PAGESIZE)  # shared by the children

    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        number = int(record["id"].rpartition("-")[2])
        if number == 2:
            taken[0] += 1
            if taken[0] == 2:
                time.sleep(300)
        if number == 4:
            os._exit(3)
        return record

    with IsolatedRecords(through(user_code(transform), seconds=1), None, standing) as records:
        first = records(lines(6))
        rest = records(lines(6)[len(first) :])

    assert isinstance(first[-1], TooSlowError)
    assert fates(first[:-1] + rest) == ["kept", "kept", "kept", "an end with exit status 3", "kept"]


def test_results_that_no_memory_holds_together_are_made_one_by_one() -> None:
    def transform(record: dict[str, Any], _: Any) -> list[dict[str, Any]]:
        return [record | {"text": "x" * 100_000}] * 40

    given, made = lines(12), list[Made]()
    with IsolatedRecords(through(user_code(transform)), 100) as records:
        while len(made) < len(given):
            made += records(given[len(made) :])

    assert fates(made) == ["kept"] * 12


def test_a_child_hands_over_few_bytes_at_a_time() -> None:
    made = isolated(lambda record, _: [record | {"text": "x" * 100_000}] * 40, lines(12))

    assert 1 <= len(made) <= 2


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux alone")  # noqa: PTH110
@pytest.mark.parametrize("kept_mb", [20, 60, 150])
def test_a_transformation_that_keeps_memory_costs_no_record(kept_mb: int) -> None:
    kept: list[bytearray] = []

    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        kept.append(bytearray(kept_mb * MEBIBYTE))
        return record

    # This process has taken more than a worker.
    assert fates(isolated(transform, lines(12), memory_mb=peak_memory_mb() + 430)) == ["kept"] * 12


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux alone")  # noqa: PTH110
def test_a_crash_for_want_of_kept_memory_costs_no_record() -> None:
    kept: list[int] = []

    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        kept.append(1)
        if len(kept) > 2:  # as C code does that gets no memory
            os.abort()
        return record

    faulthandler.disable()
    assert fates(isolated(transform, lines(7))) == ["kept"] * 7


def test_children_that_end_one_after_the_other_leave_time_to_look_at_the_clock() -> None:
    clock = itertools.count(0.0, 0.4).__next__  # it goes on at each look
    with IsolatedRecords(through(user_code(striking(set(range(20)), leave))), None, clock) as records:
        made = records(lines(20))

    assert fates(made) == ["an end with exit status 3"] * 3


@pytest.mark.parametrize("seconds", [1, 10, 60, 91, 100, 139, 240])
def test_records_that_are_taken_again_fit_into_an_invocation(seconds: int) -> None:
    count = together(seconds)
    taken: list[int] = []

    class Noting(IsolatedRecords):
        def _asked(self, given: Any) -> Any:
            taken.append(len(given))
            return super()._asked(given)

    with Noting(through(user_code(striking(set(), leave)), seconds=seconds), None, standing) as records:
        assert len(records(lines(25))) == 25

    assert max(taken) == min(count, 25)
    assert count == 1 or (2 * count - 1) * seconds + GRACE_SECONDS < TOGETHER_SECONDS
