"""The work of the workers over time, as a chart: a row for each segment, a bar for each invocation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from etl_cli.html_report.svg import bar, chart, element, percent, text, tick
from etl_cli.html_report.time_axis import Axis, clock
from etl_cli.runs.history import Timeline
from etl_cli.runs.workers import Invocation, MapRun
from etl_cli.terminal.formats import duration, plural

_MOMENTS = 500  # across; the largest number of workers in each is drawn
MOST_ROWS = 40  # as many as an inline Map has workers at most
SLOWEST = 24
_MOST_TICKS = 6
# In pixels: the names of the stages, a row, its bar, the area of workers at once, a Distributed Map, the axis.
_HEAD, _ROW, _BAR, _BUSY, _MAP, _FOOT = 22, 15, 9, 76, 44, 24
# A stage that takes less of the width than this has no room for its name: on a phone, on any screen.
_NARROW, _TOO_NARROW = 0.25, 0.09
# Invocations that follow one another this closely are drawn as one: in shares of the width.
_INVISIBLE = 0.001


@dataclass(frozen=True)
class Gantt:
    """The invocations of the workers, by segment."""

    axis: Axis
    rows: dict[int, list[Invocation]]  # the invocations of the segments that are shown, by segment
    segments: int  # number of all segments
    invocations: list[Invocation]

    @property
    def failed(self) -> int:
        """Number of invocations that failed."""
        return sum(bool(each.error) for each in self.invocations)

    @property
    def gone_on(self) -> int:
        """Number of invocations that left the rest to the next one."""
        return sum(each.goes_on for each in self.invocations)

    @property
    def most_at_once(self) -> int:
        """The largest number of workers at one moment."""
        return max((number for _, number in _levels(self.invocations, self.axis)), default=0)


def gantt_of(invocations: Sequence[Invocation], axis: Axis) -> Gantt:
    """Choose all segments, or the slowest ones if there are too many to show."""
    by_segment: dict[int, list[Invocation]] = defaultdict(list)
    for each in invocations:
        by_segment[each.segment].append(each)
    shown = sorted(by_segment)
    if len(shown) > MOST_ROWS:
        worked = {segment: sum(_seconds(each, axis) for each in own) for segment, own in by_segment.items()}
        shown = sorted(shown, key=lambda segment: -worked[segment])[:SLOWEST]
    return Gantt(axis, {segment: by_segment[segment] for segment in shown}, len(by_segment), list(invocations))


def draw_gantt(gantt: Gantt, timeline: Timeline) -> Markup:
    """Draw the rows. If some segments aren't shown, draw the number of workers at each moment above them."""
    top = _HEAD + (_BUSY if len(gantt.rows) < gantt.segments else 0)
    bottom = top + len(gantt.rows) * _ROW
    parts, names = [_stages(timeline, gantt.axis, bottom)], []
    if top > _HEAD:
        parts.append(_busy(gantt.invocations, gantt.axis, _HEAD + 8, _BUSY - 16))
        names.append(text(1, _HEAD + 18, f"{gantt.most_at_once:,}", "axis", "end"))
    for number, (segment, invocations) in enumerate(gantt.rows.items()):
        row = top + number * _ROW
        names.append(text(1, row + 11, str(segment), "axis", "end"))
        parts += [_bar(each, gantt.axis, row + (_ROW - _BAR) / 2) for each in _merged(invocations, gantt.axis)]
    described = f"When the workers of {plural(gantt.segments, 'segment')} worked, by stage"
    return _beside(
        names, described, [*parts, *_edges(timeline, gantt.axis, bottom), *_time(gantt.axis, bottom)], bottom + _FOOT
    )


def draw_map_runs(runs: Sequence[MapRun], timeline: Timeline, axis: Axis) -> Markup:
    """Draw a bar for each Distributed Map, filled as far as its segments are done."""
    parts, bottom = [], float(len(runs) * _MAP)
    for number, run in enumerate(runs):
        start, end = axis.at(run.started), axis.at(run.ended or axis.end)
        top = number * _MAP + 20
        done = start + (end - start) * run.succeeded / max(1, run.segments)
        lost = done + (end - start) * run.failed / max(1, run.segments)
        name = f"{run.stage}, {run.succeeded:,} of {run.segments:,}"
        parts.append(text(start if start < 0.5 else end, top - 6, name, "label", None if start < 0.5 else "end"))
        parts += [bar(start, end, top, 12, "track"), bar(start, done, top, 12, "work")]
        if run.failed:
            parts.append(bar(done, lost, top, 12, "bad", f"{run.failed:,} failed"))
    described = "; ".join(f"{run.stage} {run.succeeded:,} of {plural(run.segments, 'segment')}" for run in runs)
    return chart(described, bottom + _FOOT, _stages(timeline, axis, bottom, named=False), *parts, *_time(axis, bottom))


def _beside(names: Iterable[str], described: str, parts: Iterable[str], height: float) -> Markup:
    """A chart with names on its left, whose width is the same on any screen."""
    scale = element("svg", *names, class_="chart", height=height, aria_hidden="true")
    return element("div", scale, chart(described, height, *parts), class_="beside")


def _stages(timeline: Timeline, axis: Axis, bottom: float, *, named: bool = True) -> Markup:
    """A field for each stage, with its name where there is room."""
    parts = []
    for number, stage in enumerate(timeline.stages.values()):
        if stage.entered_at is None:
            continue
        start, end = axis.at(stage.entered_at), axis.at(stage.exited_at or axis.end)
        described = f"{stage.name}: {duration(stage.seconds or 0.0)}"
        parts.append(bar(start, end, 0, bottom, "stage" if number % 3 != 1 else "stage odd", described))
        if named and end - start >= _TOO_NARROW:
            narrow = "label roomy" if end - start < _NARROW else "label"
            parts.append(text((start + end) / 2, 14, stage.name, narrow, "middle"))
    return element("g", *parts)


def _edges(timeline: Timeline, axis: Axis, bottom: float) -> Iterator[Markup]:
    """Lines between the bars of one stage and of the next."""
    for stage in timeline.stages.values():
        if stage.entered_at:
            where = percent(axis.at(stage.entered_at))
            yield element("line", x1=where, x2=where, y1=_HEAD, y2=bottom, class_="edge")


def _time(axis: Axis, bottom: float) -> Iterator[Markup]:
    return (tick(where, bottom, bottom + 5, words) for where, words in axis.ticks(_MOST_TICKS))


def _bar(each: Invocation, axis: Axis, top: float) -> Markup:
    end = each.ended or axis.end
    seconds = duration(_seconds(each, axis))
    since = clock((each.started - axis.start).total_seconds())
    described = f"{each.stage}, segment {each.segment}, invocation {each.number}: {seconds}, from {since} on"
    outcome = f", {each.error}" if each.error else ", to go on" if each.goes_on else ""
    class_ = "bad" if each.error else "work" if each.number % 2 else "work even"
    return bar(axis.at(each.started), axis.at(end), top, _BAR, class_, described + outcome)


def _merged(invocations: Iterable[Invocation], axis: Axis) -> Iterator[Invocation]:
    """The invocations of a segment; those that are too short to see are merged into one."""
    last: Invocation | None = None
    for each in invocations:
        if last and not last.error and not each.error and last.stage == each.stage and _close(last, each, axis):
            last = replace(last, ended=each.ended, goes_on=each.goes_on)
            continue
        if last:
            yield last
        last = each
    if last:
        yield last


def _close(one: Invocation, other: Invocation, axis: Axis) -> bool:
    until = axis.at(one.ended or axis.end)
    return axis.at(other.started) - until < _INVISIBLE and axis.at(other.ended or axis.end) - until < _INVISIBLE


def _seconds(each: Invocation, axis: Axis) -> float:
    return ((each.ended or axis.end) - each.started).total_seconds()


def _busy(invocations: Sequence[Invocation], axis: Axis, top: float, height: float) -> Markup:
    """An area as high as the number of workers at each moment."""
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
    """The number of workers after each moment at which it changes, in order."""
    changes: Counter[float] = Counter()
    for each in invocations:
        changes[axis.at(each.started)] += 1
        changes[axis.at(each.ended or axis.end)] -= 1
    number = 0
    for where in sorted(changes):
        number += changes[where]
        yield where, number


def workers_words(gantt: Gantt | None, runs: list[MapRun]) -> str:
    """The numbers behind the chart of the workers."""
    if gantt is None:
        why = (
            "This run's Maps are Distributed Maps: each segment was an execution with a history of its own. The chart "
            "shows the finished segments of each Map, not the workers."
        )
        return " ".join([why, *(_lost_words(run) for run in runs if run.failed)])
    parts = [f"{plural(gantt.segments, 'segment')}, {plural(gantt.most_at_once, 'worker')} at once at most"]
    parts.append(f"{plural(len(gantt.invocations), 'invocation')}")
    if gantt.gone_on:
        parts.append(f"{gantt.gone_on:,} of them ran low on time and left the rest to the next one")
    if gantt.failed:
        parts.append(f"{gantt.failed:,} of them failed")
    return ", ".join(parts) + "."


def _lost_words(run: MapRun) -> str:
    return f"Of {run.stage}, {plural(run.failed, 'segment')} failed or stopped."


def workers_note(gantt: Gantt | None) -> str:
    """The legend of the chart of the workers."""
    axis = "Times are since the start, in minutes and seconds."
    if gantt is None:
        return f"A bar is filled as far as its segments are done. {axis}"
    rows = "A row is a segment, by its number; a bar is an invocation of its worker, every second one lighter."
    if len(gantt.rows) < gantt.segments:
        rows = (
            f"On top, the number of workers at each moment. Below, the {len(gantt.rows)} slowest segments, by "
            "their numbers; a bar is an invocation, every second one lighter."
        )
    if gantt.failed:
        rows += " Red ones failed: they were tried again, or ended the run."
    return f"{rows} {axis}"
