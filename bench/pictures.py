"""A run as pictures: ratios as bars, memory and CPU over size as lines. On white, so that any page can show them."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.plan import STAGES, VARIANTS

BLUE, GREY, PALE, INK, RED = "#1f6feb", "#9aa4b2", "#d0d7de", "#1f2328", "#cf222e"
FUNCTION_MB = 512 * 1.048576
MOST_BARS = len(VARIANTS)
Case = dict[str, Any]


def draw(document: dict[str, Any], folder: Path) -> None:
    """Draw the summary of a run: ``ratios.svg``, and ``sizes.svg`` if sizes were measured."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "bench", "font.size": 10, "text.color": INK, "axes.labelcolor": INK})
    _draw_ratios(document["cases"], folder / "ratios.svg")
    if any(case["group"] == "size" for case in document["cases"]):
        _draw_sizes(document["cases"], folder / "sizes.svg")


def _draw_ratios(cases: list[Case], path: Path) -> None:
    figure, axes = pyplot.subplots(1, len(STAGES), figsize=(13, 3.8), layout="constrained")
    figure.suptitle("Items per second of CPU, where the tutorial's pipeline is 1 (longer is better)", fontsize=12)
    for stage, each in zip(STAGES, axes, strict=True):
        found = [case for case in cases if (case["group"], case["stage"]) == ("dense", stage) and case["ratio"]]
        found.sort(key=lambda case: float(case["ratio"]))
        colours = [{"ours": BLUE, "floor": PALE}.get(case["variant"], GREY) for case in found]
        ratios = [case["ratio"] for case in found]
        bars = each.barh([case["label"].partition(" (")[0] for case in found], ratios, color=colours)
        each.bar_label(bars, fmt=lambda ratio: f"{ratio:.3g} ×", padding=3)
        each.margins(x=0.22)
        each.set_ylim(len(found) - MOST_BARS - 0.5, len(found) - 0.5)
        each.set_xticks([])
        _tidy(each, stage)
        each.spines["bottom"].set_visible(False)
        each.tick_params(axis="y", length=0)
        for label, case in zip(each.get_yticklabels(), found, strict=True):
            label.set_fontweight("bold" if case["variant"] == "ours" else "normal")
    _save(path)


def _draw_sizes(cases: list[Case], path: Path) -> None:
    figure, axes = pyplot.subplots(2, len(STAGES), figsize=(13, 6.4), layout="constrained", sharex=True, sharey="row")
    figure.suptitle("From 10 thousand to 3 million items (flat is better)", fontsize=12)
    for stage, top, bottom in zip(STAGES, *axes, strict=True):
        found = [case for case in cases if (case["group"], case["stage"]) == ("size", stage) and case["cpu_us"]]
        base = {case["variant"]: case["cpu_us"] for case in sorted(found, key=lambda case: -_from_base(case))}
        _plot(top, found, dict.fromkeys(base, 1.0), "peak_mb")
        _plot(bottom, found, base, "cpu_us")
        top.axhline(FUNCTION_MB, color=RED, linewidth=1, linestyle="--", label="memory of the function")
        sizes = sorted({case["items"] for case in found})
        bottom.set_xscale("log")
        bottom.set_xticks(sizes, [_words(size) for size in sizes])
        bottom.minorticks_off()
        bottom.set_xlabel("items")
        _tidy(top, stage)
        _tidy(bottom, "")
    axes[0][0].set(ylabel="peak memory, MB", ylim=(0, 640))
    axes[1][0].set(ylabel="CPU per item, at 100 k = 1", ylim=(0, None))
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    _save(path)


def _from_base(case: Case) -> float:
    """How far a size is from 100 k, with which the others are compared."""
    return float(abs(case["items"] - 100_000))


def _plot(axes: Axes, found: list[Case], base: dict[str, float], name: str) -> None:
    """Draw a line for each variant, above its comparison."""
    for variant, colour in (("tutorial", GREY), ("ours", BLUE)):
        mine = sorted((case for case in found if case["variant"] == variant), key=lambda case: float(case["items"]))
        if mine:
            values = [case[name] / base[variant] for case in mine]
            axes.plot([case["items"] for case in mine], values, marker="o", color=colour, label=mine[0]["label"])


def _words(items: int) -> str:
    return f"{items // 1_000_000} M" if items >= 1_000_000 else f"{items // 1000} k"


def _tidy(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def _save(path: Path) -> None:
    pyplot.savefig(path, metadata={"Date": None})
    pyplot.close()
