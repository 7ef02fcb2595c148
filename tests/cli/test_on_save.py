"""Work that is repeated at each save."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl_cli.items.on_save import on_save


def works(files: list[Path], steps: Iterator[Callable[[], object]], work: Callable[[], None] = lambda: None) -> int:
    """The number of times the work is done while each look takes a step; the last step interrupts."""
    count = 0

    def counted() -> None:
        nonlocal count
        count += 1
        work()

    def look(_: float) -> None:
        next(steps)()

    with pytest.raises(KeyboardInterrupt):
        on_save(lambda: files, counted, look)
    return count


def interrupt() -> None:
    raise KeyboardInterrupt


def nothing() -> None:
    pass


def save(file: Path, text: str) -> Callable[[], object]:
    return lambda: file.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "transformation.py"
    made.write_text("one")
    return made


def test_without_a_change_the_work_is_done_once(file: Path) -> None:
    assert works([file], iter([nothing, nothing, interrupt])) == 1


def test_the_work_is_repeated_after_each_save(file: Path) -> None:
    steps = [save(file, "three"), nothing, nothing, save(file, "other"), nothing, interrupt]

    assert works([file], iter(steps)) == 3


def test_a_save_in_several_steps_is_waited_for(file: Path) -> None:
    seen: list[str] = []
    steps = [file.unlink, save(file, ""), save(file, "whole"), nothing, interrupt]

    assert works([file], iter(steps), lambda: seen.append(file.read_text())) == 2
    assert seen == ["one", "whole"]


def test_a_save_during_the_work_is_a_change(file: Path) -> None:
    def work() -> None:
        if file.read_text() == "one":
            file.write_text("while it works")

    assert works([file], iter([nothing, nothing, interrupt]), work) == 2


def test_files_found_by_the_work_are_watched(file: Path) -> None:
    helper = file.with_name("helper.py")
    files = [file]

    def find() -> None:
        if helper not in files:
            helper.write_text("one")
            files.append(helper)

    assert works(files, iter([nothing, save(helper, "three"), nothing, interrupt]), find) == 2
