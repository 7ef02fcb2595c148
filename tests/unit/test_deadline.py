from etl.invocation.deadline import Deadline


class Clock:
    """A clock, and an invocation of 300 seconds that began when the clock did."""

    def __init__(self, limit: float = 300.0) -> None:
        self.now = 1000.0
        self._end = self.now + limit

    def __call__(self) -> float:
        return self.now

    def remaining_ms(self) -> int:
        return int((self._end - self.now) * 1000)

    def deadline(self) -> Deadline:
        return Deadline(self.remaining_ms, self)


def test_there_is_time_while_three_units_like_the_slowest_fit() -> None:
    clock = Clock()
    deadline = clock.deadline()
    clock.now += 70

    assert deadline.allows_another()


def test_the_slowest_unit_is_remembered() -> None:
    clock = Clock()
    deadline = clock.deadline()
    clock.now += 70
    deadline.allows_another()
    clock.now += 21

    assert not deadline.allows_another()  # 209 s are left, and three times 70 s are needed


def test_a_unit_lasts_from_the_answer_before_it() -> None:
    clock = Clock()
    deadline = clock.deadline()
    for _ in range(20):
        clock.now += 10
        assert deadline.allows_another()


def test_fast_units_leave_a_fiftieth_for_closing() -> None:
    clock = Clock()
    deadline = clock.deadline()
    answers = []
    for _ in range(2999):
        clock.now += 0.1
        answers.append(deadline.allows_another())

    assert 293 <= answers.index(False) / 10 <= 294.5


def test_the_remaining_time_is_the_invocations() -> None:
    assert Clock().deadline().remaining_ms() == 300_000


def test_time_is_kept_for_one_unit_that_may_take_as_long() -> None:
    left = [300_000]
    deadline = Deadline(lambda: left[0], lambda: 0.0)
    deadline.reserve(10)

    left[0] = 16_001  # the ten seconds, and a fiftieth for closing
    assert deadline.allows_another()
    left[0] = 16_000
    assert not deadline.allows_another()


def test_waiting_is_no_part_of_a_unit() -> None:
    clock = Clock()
    deadline = clock.deadline()
    with deadline.waiting():
        clock.now += 200
    clock.now += 10

    assert deadline.allows_another()  # 90 s are left, and three times 10 s are needed
    assert deadline.spare_seconds() == 60


def test_the_time_to_spare_is_that_beyond_the_reserve() -> None:
    clock = Clock()
    deadline = clock.deadline()
    clock.now += 293

    assert deadline.spare_seconds() == 1
