"""Each stage's memory, with real clients against a server, over items of every size and shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.shapes import Shape, hostile_shapes, sized_shapes
from tests.memory.functions import MEMORY_MB, Functions, Ran, functions
from tests.memory.generated import shapes
from tests.memory.items import Items

# A function has 512 MB, and some of it is Lambda's own.
MOST_MB = 400
# Items of 4 KB and below take as much as when batches were bounded by records alone.
MOST_OF_SMALL_MB = 120
SIZED = {shape.name: shape for shape in sized_shapes()}
HOSTILE = hostile_shapes()
TRUTHS, SETS = (shape for shape in HOSTILE if shape.name in ("truths", "sets"))


@pytest.fixture
def passed(deployed: Functions) -> Iterator[Functions]:
    """The functions; a test's staged objects are removed after it."""
    yield deployed
    deployed.aws.objects.remove()


def run(through: Functions, shapes_in_turn: list[Shape], number: int, *, retry: int = 0) -> Ran:
    """A run over so many items, which all arrive as they are."""
    through.aws.items = Items(shapes_in_turn, number)
    ran = through.run(retry=retry)
    assert_arrived(through, ran)
    return ran


def assert_arrived(through: Functions, ran: Ran) -> None:
    items = through.aws.items
    assert ran.counts["loaded"] == items.number
    assert items.written == set(items.ids())
    assert items.wrong == []


def above(ran: Ran, most: float) -> dict[str, float]:
    return {action: peak for action, peak in ran.peaks.items() if peak > most}


def test_small_items_take_what_they_took(passed: Functions, tmp_path: Path) -> None:
    with functions(passed.aws, tmp_path) as fresh:  # a process keeps the memory of large items
        for name, number in (("text-400B", 20_000), ("text-4KB", 8_000)):
            assert above(run(fresh, [SIZED[name]], number), MOST_OF_SMALL_MB) == {}


@pytest.mark.parametrize(("name", "number"), [("text-40KB", 2_000), ("text-400KB", 450)])
def test_large_texts_stay_within_the_memory(passed: Functions, name: str, number: int) -> None:
    assert above(run(passed, [SIZED[name]], number), MOST_MB) == {}


def test_lists_of_199_000_truths_stay_within_the_memory(passed: Functions) -> None:
    assert above(run(passed, [TRUTHS], 30), MOST_MB) == {}


def test_all_shapes_in_turn_stay_within_the_memory(passed: Functions) -> None:
    shapes_in_turn = [*HOSTILE, SIZED["text-400B"], SIZED["text-400KB"]]

    assert above(run(passed, shapes_in_turn, len(shapes_in_turn)), MOST_MB) == {}


@settings(
    max_examples=3,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(drawn=st.lists(shapes(), min_size=1, max_size=4))
def test_any_shape_stays_within_the_memory(deployed: Functions, drawn: list[Shape]) -> None:
    deployed.aws.objects.remove()

    assert above(run(deployed, drawn, 26), MOST_MB) == {}


def test_a_retry_stays_within_the_function(passed: Functions) -> None:
    ran = run(passed, [TRUTHS, SETS, SIZED["text-400KB"]], 3, retry=1)

    assert above(ran, MEMORY_MB) == {}


def test_a_replay_stays_within_the_memory(passed: Functions) -> None:
    passed.aws.items = Items(
        [TRUTHS, SIZED["text-400KB"]], 26, spoilt=lambda line: line.replace(b'"N":"', b'"N":"-', 1)
    )
    refused = passed.run()
    assert refused.counts["rejected_transform"] == 26
    passed.aws.items = Items([TRUTHS, SIZED["text-400KB"]], 26)
    ran = passed.run(refused.run)

    assert_arrived(passed, ran)
    assert above(refused, MOST_MB) == above(ran, MOST_MB) == {}
