"""With `--dist loadfile`, processes take units of tests that share expensive things, the longest units first.

A plugin that is loaded where xdist is installed.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.pipeline.modes import DISTRIBUTED

# Their tests share an environment, or synthesized stacks, which cost as much as all of them together.
WHOLE_FOLDERS = ("tests/faults", "tests/infrastructure")
# Hundreds of tests that share nothing: each function is a unit.
FUNCTIONS_OF = "tests/cli/test_hostile_items.py"
# If a unit of a minute began last, one process would work while the others are done. The other units follow these.
LONGEST_FIRST = (
    "tests/docs/test_typed.py",
    "tests/pipeline/test_specification.py",
    "tests/pipeline/test_six_tables.py",
    DISTRIBUTED,
    "tests/pipeline/test_stack_life.py",
    FUNCTIONS_OF,
    "tests/faults",
    "tests/pipeline/test_demo.py",
    "tests/pipeline/test_replaced_transformation.py",
    "tests/pipeline/test_segments.py",
    "tests/infrastructure",
)


def unit_of(test: str) -> str:
    """The unit of a test: its file, folder or function, or its environment with Distributed Maps."""
    if re.search(rf"[\[-]{DISTRIBUTED}[\]-]", test):
        return DISTRIBUTED
    file = test.partition("::")[0]
    if file == FUNCTIONS_OF:
        return test.partition("[")[0]
    folder = file.rpartition("/")[0]
    return folder if folder in WHOLE_FOLDERS else file


def turn_of(test: str) -> int:
    """The place of a test's unit in the order of the units."""
    unit = unit_of(test)
    if unit.startswith(FUNCTIONS_OF):
        unit = FUNCTIONS_OF
    return LONGEST_FIRST.index(unit) if unit in LONGEST_FIRST else len(LONGEST_FIRST)


class UnitScheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands whole units to processes, in the order in which they were collected."""

    def schedule(self) -> None:
        self.config.option.loadscopereorder = False
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> UnitScheduling | None:
    """Hand out units of tests."""
    return UnitScheduling(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests in the order in which units are handed to processes."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: turn_of(item.nodeid))
