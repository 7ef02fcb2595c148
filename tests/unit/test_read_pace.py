import pytest

from etl.tables.read_pace import Pace


def paced(clock: list[float], refusals: int) -> Pace:
    """A pace whose requests were refused so often, one after the other, each at once."""
    pace = Pace(lambda: clock[0])
    for _ in range(refusals):
        pace.began()
        pace.ended(refused=True)
    return pace


def test_without_a_refusal_there_is_no_pause() -> None:
    pace = paced([0.0], 0)
    for _ in range(10):
        pace.began()
        pace.ended(refused=False)
        assert pace.pause() == 0


@pytest.mark.parametrize(("refusals", "bound"), [(1, 0.2), (2, 0.4), (5, 3.2), (8, 20), (100, 20)])
def test_each_refusal_doubles_the_longest_pause_up_to_20_s(refusals: int, bound: float) -> None:
    pauses = [paced([0.0], refusals).pause() for _ in range(2000)]

    assert 0.97 * bound <= max(pauses) <= bound
    assert sum(pauses) / len(pauses) == pytest.approx(bound / 2, rel=0.1)


def test_the_time_that_a_request_took_is_part_of_its_pause() -> None:
    clock = [0.0]
    pace = paced(clock, 1)
    pace.began()
    clock[0] += 0.5
    pace.ended(refused=False)

    assert pace.pause() == 0


def test_answers_bring_the_pace_back() -> None:
    clock = [0.0]
    pace = paced(clock, 100)
    for _ in range(199):
        pace.began()
        pace.ended(refused=False)
    clock[0] += 0.2
    assert pace.pause() == 0
    pace.began()
    pace.ended(refused=False)

    assert pace.pause() == 0
