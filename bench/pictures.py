"""The results as pictures: ratios as bars, memory and time over size as lines."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.figures import Line, lines
from bench.plan import OURS, SIZES, STAGES, TUTORIAL
from bench.runner import Result

BLUE, OTHERS, FLOOR = "#1f6feb", "#9aa4b2", "#d0d7de"


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
    figure, axes = pyplot.subplots(1, len(STAGES), figsize=(13, 3.8), layout="constrained")
    figure.suptitle("items per second of CPU, the tutorial's pipeline = 1", fontsize=11)
    for stage, each in zip(STAGES, axes, strict=True):
        found = sorted((line for line in lines(results, "dense", stage) if line.ratio), key=lambda line: line.ratio)
        variants = [line.result.case.variant for line in found]
        colours = [{"ours": BLUE, "floor": FLOOR}.get(variant.name, OTHERS) for variant in variants]
        ratios = [line.ratio for line in found]
        bars = each.barh([variant.label.partition(" (")[0] for variant in variants], ratios, color=colours)
        each.bar_label(bars, fmt="%.1f ×", padding=3)
        each.margins(x=0.2)
        _tidy(each, stage)
    return _save(path)


def _draw_sizes(results: list[Result], path: Path, label: str, value: Callable[[Line], float]) -> Path:
    figure, axes = pyplot.subplots(1, len(STAGES), figsize=(13, 3.8), layout="constrained")
    figure.suptitle(label, fontsize=11)
    for stage, each in zip(STAGES, axes, strict=True):
        found = [line for line in lines(results, "size", stage) if line.cpu_us]
        for variant, colour in ((TUTORIAL, OTHERS), (OURS, BLUE)):
            points = sorted(
                (line.result.case.items, value(line)) for line in found if line.result.case.variant == variant
            )
            sizes, values = [items for items, _ in points], [number for _, number in points]
            each.plot(sizes, values, marker="o", color=colour, label=variant.label)
        each.set_ylim(0, 1.1 * max(value(line) for line in found) if found else 1)
        each.set_xscale("log")
        each.set_xticks(SIZES, [_words(size) for size in SIZES], fontsize=8)
        each.minorticks_off()
        each.set_xlabel("items")
        each.legend(frameon=False)
        _tidy(each, stage)
    return _save(path)


def _words(items: int) -> str:
    return f"{items // 1_000_000} M" if items >= 1_000_000 else f"{items // 1000} k"


def _tidy(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _save(path: Path) -> Path:
    pyplot.savefig(path, metadata={"Date": None})
    pyplot.close()
    return path
