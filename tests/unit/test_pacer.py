from etl.tables.ceiling import Pacer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_ceiling_nobody_waits() -> None:
    pacer = Pacer(None)
    pacer.correct(1e9)

    assert pacer.reserve(1e9) == 0


def test_the_first_reservation_does_not_wait() -> None:
    assert Pacer(10, Clock()).reserve(1000) == 0


def test_a_reservation_waits_for_those_before_it() -> None:
    pacer = Pacer(10, Clock())
    pacer.reserve(25)
    pacer.reserve(25)

    assert pacer.reserve(25) == 5


def test_time_that_passed_is_not_saved_up() -> None:
    clock = Clock()
    pacer = Pacer(10, clock)
    clock.now = 1000
    pacer.reserve(25)

    assert pacer.reserve(25) == 2.5


def test_a_correction_moves_the_next_reservation() -> None:
    pacer = Pacer(10, Clock())
    pacer.reserve(25)
    pacer.correct(50)

    assert pacer.reserve(25) == 7.5


def test_units_of_idle_time_are_saved_up_for_a_while() -> None:
    clock = Clock()
    pacer = Pacer(10, clock, saved_seconds=1)
    clock.now = 1000
    pacer.reserve(25)

    assert pacer.reserve(25) == 1.5


def test_a_pause_takes_nothing() -> None:
    pacer = Pacer(10, Clock())
    pacer.reserve(25)

    assert (pacer.pause(), pacer.pause(), pacer.reserve(0)) == (2.5, 2.5, 2.5)


def test_units_that_are_owed_come_first() -> None:
    clock = Clock()
    pacer = Pacer(10, clock, owed=30, saved_seconds=1)

    assert pacer.pause() == 3
    clock.now = 3
    assert (pacer.pause(), pacer.reserve(25), pacer.reserve(25)) == (0, 0, 2.5)


def test_without_a_ceiling_nothing_is_owed() -> None:
    assert Pacer(None, Clock(), owed=30).pause() == 0
