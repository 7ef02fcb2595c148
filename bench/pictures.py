"""The results as pictures: ratios as bars, memory and time over size as lines."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.figures import Line, lines
from bench.plan import STAGES
from bench.runner import Result

OURS, OTHERS, FLOOR = "#1f6feb", "#9aa4b2", "#d0d7de"


def draw(results: list[Result], folder: Path) -> list[Path]:
    """Draw what there are results for; returns the files that were written."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same results give the same file
    folder.mkdir(parents=True, exist_ok=True)
    written = [_draw_ratios(results, folder / "ratios.svg")]
    if any(each.case.group == "size" for each in results):
        written.append(_draw_sizes(results, folder / "memory.svg", "peak memory, MB", lambda line: line.peak_mb))
        written.append(_draw_sizes(results, folder / "time.svg", "µs CPU per item", lambda line: line.cpu_us))
    return written


def _draw_ratios(results: list[Result], path: Path) -> Path:
    _, axes = pyplot.subplots(1, len(STAGES), figsize=(13, 3.6), layout="constrained")
    for stage, each in zip(STAGES, axes, strict=True):
        found = sorted((line for line in lines(results, "dense", stage) if line.ratio), key=lambda line: line.ratio)
        names = [line.result.case.variant.name for line in found]
        colours = [{"ours": OURS, "floor": FLOOR}.get(name, OTHERS) for name in names]
        bars = each.barh(
            [line.result.case.variant.label for line in found], [line.ratio for line in found], color=colours
        )
        each.bar_label(bars, fmt="%.1f ×", padding=3)
        each.set_title(f"{stage}: items per second of CPU, tutorial = 1", fontsize=10)
        each.margins(x=0.2)
        _tidy(each)
    return _save(path)


def _draw_sizes(results: list[Result], path: Path, label: str, value: Callable[[Line], float]) -> Path:
    _, axes = pyplot.subplots(1, len(STAGES), figsize=(13, 3.6), layout="constrained")
    for stage, each in zip(STAGES, axes, strict=True):
        found = [line for line in lines(results, "size", stage) if line.cpu_us]
        for name, colour in (("tutorial", OTHERS), ("ours", OURS)):
            points = sorted(
                (line.result.case.items, value(line)) for line in found if line.result.case.variant.name == name
            )
            each.plot(*zip(*points, strict=True), marker="o", color=colour, label=name) if points else None
        each.set_xscale("log")
        each.set_ylim(bottom=0)
        each.set_title(f"{stage}: {label}", fontsize=10)
        each.set_xlabel("items")
        each.legend(frameon=False)
        _tidy(each)
    return _save(path)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _save(path: Path) -> Path:
    pyplot.savefig(path, metadata={"Date": None})
    pyplot.close()
    return path
