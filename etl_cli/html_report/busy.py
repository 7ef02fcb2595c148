"""Draws how many workers there were at each moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from etl_cli.html_report.scale import Axis
from etl_cli.html_report.svg import element
from etl_cli.runs.workers import Invocation

# Moments across; in each, the most workers at once are drawn.
_MOMENTS = 500


def most_at_once(invocations: Iterable[Invocation], axis: Axis) -> int:
    """How many workers there were at a time, at most."""
    return max((number for _, number in _levels(invocations, axis)), default=0)


def draw_busy(invocations: Sequence[Invocation], axis: Axis, top: float, height: float) -> Markup:
    """An area: as high as there were workers at once, at its highest as high as is told."""
    peaks = [0] * (_MOMENTS + 1)
    since, level = 0, 0
    for where, number in [*_levels(invocations, axis), (1.0, 0)]:
        moment = int(where * _MOMENTS)
        for each in range(since, moment + 1):
            peaks[each] = max(peaks[each], level)
        peaks[moment] = max(peaks[moment], number)
        since, level = moment, number
    most = max(peaks) or 1
    path = "".join(f"V{height * (1 - peak / most):.1f}H{moment + 1}" for moment, peak in enumerate(peaks[:-1]))
    area = element("path", d=f"M0 {height:.1f}{path}V{height:.1f}Z", class_="area")
    return element(
        "svg", area, y=top, width="100%", height=height, viewBox=f"0 0 {_MOMENTS} {height}", preserveAspectRatio="none"
    )


def _levels(invocations: Iterable[Invocation], axis: Axis) -> Iterator[tuple[float, int]]:
    """How many workers there are from each moment on at which that changes, in the order of time."""
    changes: Counter[float] = Counter()
    for each in invocations:
        changes[axis.at(each.started)] += 1
        changes[axis.at(each.ended or axis.end)] -= 1
    number = 0
    for where in sorted(changes):
        number += changes[where]
        yield where, number
