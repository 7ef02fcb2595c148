"""The charts of the report's page: workers from histories, flows, coverage, axes."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_cli.html_report.coverage_chart import CoverageLine, coverage_words, draw_coverage, long_duration
from etl_cli.html_report.flow_chart import Node, draw_flow, flow_of
from etl_cli.html_report.gantt import MOST_ROWS, SLOWEST, draw_gantt, draw_map_runs, gantt_of, workers_words
from etl_cli.html_report.time_axis import Axis, clock
from etl_cli.runs.coverage import Coverage
from etl_cli.runs.history import Timeline
from etl_cli.runs.workers import Invocation, MapRun
from etl_cli.terminal.times import Span, Times
from tests.cli.html_outline import Outline
from tests.cli.report_pages import FAILED, IN_MAP_RUNS, SUCCEEDED, made_up
from tests.fakes.recording import Recording

START = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
HOUR = Axis(START, START + timedelta(hours=1))


def timeline_of(recording: Recording) -> Timeline:
    timeline = Timeline()
    for event in recording.events:
        timeline.apply(event)
    return timeline


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def worked(segment: int, start: float, end: float, **facts: object) -> Invocation:
    made = Invocation("Load", segment, 1, at(start), at(end))
    vars(made).update(facts)
    return made


def bars(chart: str, class_: str) -> list[dict[str, str]]:
    return [each for each in Outline(chart).all("rect") if each.get("class", "").split()[:1] == [class_]]


def test_each_segment_has_a_worker_in_each_map() -> None:
    timeline = timeline_of(Recording(SUCCEEDED))

    assert Counter((each.stage, each.segment) for each in timeline.workers.invocations) == Counter(
        (stage, segment) for stage in ("Extract", "Transform", "Load") for segment in range(4)
    )
    assert all(each.ended and each.ended > each.started for each in timeline.workers.invocations)
    assert timeline.status == "SUCCEEDED"


def test_workers_that_go_on_differ_from_workers_tried_again() -> None:
    invocations = [each for each in timeline_of(made_up(40)).workers.invocations if each.stage == "Load"]
    courses = {
        segment: [(each.number, each.error, each.goes_on) for each in invocations if each.segment == segment]
        for segment in (1, 2, 5)
    }

    assert courses == {
        1: [(1, "", False)],
        2: [(1, "", True), (2, "", True), (3, "", False)],
        5: [(1, "TransientError", False), (2, "", False)],
    }


def test_a_worker_that_has_not_ended_ends_with_the_chart() -> None:
    events = Recording(FAILED).events
    timeline = Timeline()
    for event in events[:12]:
        timeline.apply(event)
    axis = Axis(events[0]["timestamp"], events[-1]["timestamp"])

    assert {each.ended for each in timeline.workers.invocations} == {None}
    last = bars(draw_gantt(gantt_of(timeline.workers.invocations, axis), timeline), "work")[-1]
    assert float(last["x"][:-1]) + float(last["width"][:-1]) == pytest.approx(100, abs=0.02)


def test_a_throttled_start_is_no_invocation_of_a_worker() -> None:
    failed = {"lambdaFunctionFailedEventDetails": {"error": "Lambda.TooManyRequestsException"}}
    happened: list[tuple[str, int, dict[str, Any]]] = [
        ("MapStateEntered", 0, {"stateEnteredEventDetails": {"name": "Load"}}),
        ("MapIterationStarted", 1, {"mapIterationStartedEventDetails": {"name": "Load", "index": 7}}),
        *[
            (kind, 2 + 2 * number + place, details)
            for number in range(3)
            for place, (kind, details) in enumerate([("LambdaFunctionScheduled", {}), ("LambdaFunctionFailed", failed)])
        ],
        ("LambdaFunctionScheduled", 8, {}),
        ("LambdaFunctionSucceeded", 9, {"lambdaFunctionSucceededEventDetails": {"output": "{}"}}),
    ]
    timeline = Timeline()
    for number, (kind, previous, details) in enumerate(happened, 1):
        timeline.apply({"id": number, "previousEventId": previous, "timestamp": at(number), "type": kind} | details)

    assert timeline.workers.invocations == [Invocation("Load", 7, 1, at(9), at(10))]


def test_distributed_maps_are_drawn_by_their_segments() -> None:
    timeline = timeline_of(Recording(IN_MAP_RUNS))
    runs = [MapRun("Extract", at(0), at(1800), 200, 150, 50), MapRun("Transform", at(1800), None, 200, 20, 0)]
    chart = draw_map_runs(runs, timeline, HOUR)

    assert timeline.workers.invocations == []
    assert [each["width"] for each in bars(chart, "track")] == ["50%", "50%"]
    assert [each["width"] for each in bars(chart, "work")] == ["37.5%", "5%"]
    assert [each["width"] for each in bars(chart, "bad")] == ["12.5%"]
    assert "Of Extract, 50 segments failed or stopped." in workers_words(None, runs)


def test_all_segments_are_shown_up_to_the_workers_of_a_map() -> None:
    gantt = gantt_of([worked(segment, segment, 100) for segment in range(MOST_ROWS)], HOUR)

    assert list(gantt.rows) == list(range(MOST_ROWS))
    assert "area" not in draw_gantt(gantt, Timeline())


def test_of_a_thousand_segments_the_slowest_are_shown() -> None:
    invocations = [
        worked(segment, begin, begin + 60 + segment % 100, number=number, stage=stage)
        for stage, offset in (("Extract", 0), ("Transform", 1200), ("Load", 2400))
        for segment in range(1000)
        for number, begin in enumerate((offset + segment % 40, offset + 300), 1)
    ]
    gantt = gantt_of(invocations, HOUR)
    chart = draw_gantt(gantt, Timeline())

    assert (gantt.segments, len(gantt.rows)) == (1000, SLOWEST)
    assert {segment % 100 for segment in gantt.rows} == {99, 98, 97}
    assert "area" in chart
    assert len(chart) < 60_000
    assert "1,000 segments, 1,000 workers at once at most, 6,000 invocations" in workers_words(gantt, [])


def test_very_short_invocations_are_one_bar_but_failures_stay() -> None:
    short = [worked(0, number / 10, (number + 1) / 10, number=number + 1) for number in range(30_000)]
    gantt = gantt_of([*short, worked(0, 3100, 3100.1, error="TransientError")], HOUR)
    chart = draw_gantt(gantt, Timeline())

    assert len(bars(chart, "work")) < 20
    assert len(bars(chart, "bad")) == 1


def test_workers_at_once_are_counted_and_drawn() -> None:
    invocations = [worked(0, 0, 1800), worked(1, 900, 1800), worked(2, 1800, 2700)]
    many = [worked(number, 2700, 2700) for number in range(3, MOST_ROWS + 2)]  # more segments than rows
    gantt = gantt_of([*invocations, *many], HOUR)
    path = re.search(r' d="M0 60.0(.*)V60.0Z"', draw_gantt(gantt, Timeline()))

    assert gantt_of(invocations, HOUR).most_at_once == 2
    assert gantt_of([], HOUR).most_at_once == 0
    assert path
    levels = [level for level, _ in re.findall(r"V([\d.]+)H(\d+)", path[1])]
    assert (levels[10], levels[150], levels[300], levels[450]) == ("30.0", "0.0", "30.0", "60.0")


COUNTS = st.integers(0, 10**9) | st.sampled_from([0, 1])


@given(st.data())
def test_each_node_passes_on_its_whole_inflow(data: st.DataObject) -> None:
    names = ["transformed", "dropped", "rejected_transform", "untimed", "left"]
    names += ["aggregate_records", "superseded", "rejected_load"]
    counts = {name: data.draw(COUNTS, name) for name in names}
    counts["read"] = sum(counts[name] for name in names[:5])
    stopped = data.draw(st.sampled_from(["", "The run failed at Load"]))
    records = counts["transformed"] + counts["aggregate_records"]
    counts["superseded"] = min(counts["superseded"], records)
    counts["rejected_load"] = min(counts["rejected_load"], records - counts["superseded"])
    rest = records - counts["superseded"] - counts["rejected_load"]
    counts["loaded"] = data.draw(st.integers(0, rest)) if stopped else rest
    if stopped:
        counts["read"] += data.draw(COUNTS)

    flow = flow_of(counts, stopped)

    taken, given_ = Counter[Node](), Counter[Node]()
    for link in flow.links:
        given_[link.source] += link.amount
        taken[link.target] += link.amount
    for node in flow.nodes:
        assert taken[node] == (node.amount if node.column and node.name != "Aggregates" else 0)
        if node.kind == "main" and node.column < 2:
            assert given_[node] == node.amount
    assert all(link.amount > 0 for link in flow.links)


def test_a_flow_names_its_exits_with_their_reasons() -> None:
    counts = {"read": 12, "transformed": 6, "dropped": 3, "rejected_transform": 1, "loaded": 5, "superseded": 1}
    counts["untimed"] = 2

    assert [(node.name, node.amount, node.why) for node in flow_of(counts).exits] == [
        ("Rejected", 1, "set aside by Transform, in quarantine"),
        ("Without a time", 2, "in no window: in quarantine until corrected"),
        ("Dropped", 3, "transform() returned nothing for them"),
        ("Superseded", 1, "another record with the same key followed in its batch"),
    ]


def test_missing_items_of_a_failed_run_have_the_reason() -> None:
    flow = flow_of({"read": 10, "transformed": 6, "loaded": 2}, "The run failed at Load")

    assert [(node.name, node.amount, node.why) for node in flow.exits] == [
        ("Not transformed", 4, "The run failed at Load"),
        ("Not loaded", 4, "The run failed at Load"),
    ]


def test_ribbons_are_as_wide_as_their_flow_and_never_invisible() -> None:
    chart = draw_flow(flow_of({"read": 1_000_000, "transformed": 999_999, "rejected_transform": 1, "loaded": 999_999}))
    widths = [float(lower) - float(upper) for upper, lower in re.findall(r'd="M0 ([\d.]+)C.*? 0 ([\d.]+)Z"', chart)]

    assert widths == [pytest.approx(128, abs=0.1), pytest.approx(2)]
    assert [each["height"] for each in bars(chart, "node")] == ["130", "128", "128", "2"]


def test_nothing_that_flows_is_drawn_too() -> None:
    assert "Read" in draw_flow(flow_of({}))


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [
        (0.3, ["0:00.00", "0:00.05", "0:00.10", "0:00.15"]),
        (13, ["0:00", "0:05", "0:10"]),
        (187, ["0:00", "1:00", "2:00", "3:00"]),
        (1800, ["0:00", "5:00", "10:00", "15:00", "20:00", "25:00", "30:00"]),
        (8000, ["0:00", "30:00", "1:00:00", "1:30:00", "2:00:00"]),
        (9 * 86400, ["0:00", "24:00:00", "48:00:00"]),
    ],
)
def test_ticks_have_round_steps(seconds: float, ticks: list[str]) -> None:
    axis = Axis(START, at(seconds))
    found = list(axis.ticks(6))

    assert [words for _, words in found][: len(ticks)] == ticks
    assert [where for where, _ in found] == sorted(where for where, _ in found)
    assert found[-1][0] <= 1


def test_a_clock_shows_hours_only_if_there_are_some() -> None:
    assert [clock(59.9), clock(60), clock(3599), clock(3600), clock(0.25, fine=True)] == [
        *("0:59", "1:00", "59:59", "1:00:00", "0:00.25")
    ]


def test_ticks_of_days_are_midnights() -> None:
    axis = Axis(START, START + timedelta(days=30))

    assert [words for _, words in axis.days(5, Times())] == ["Nov 9", "Nov 15", "Nov 21", "Nov 27", "Dec 3"]
    assert next(axis.days(5, Times()))[0] == pytest.approx((6 - 2 / 24) / 30)


def test_an_instant_beyond_an_edge_is_at_the_edge() -> None:
    assert [HOUR.at(at(-5)), HOUR.at(at(1800)), HOUR.at(at(5000))] == [0, 0.5, 1]
    assert Axis(START, START).at(START) == 0


def line_of(gaps: list[Span], pending: Span | None = None) -> CoverageLine:
    axis = Axis(START, START + timedelta(days=30))
    window = Span(START + timedelta(days=29), START + timedelta(days=30))
    return CoverageLine(axis, window, True, [Span(START - timedelta(days=400), START)], Coverage(gaps, pending, None))


def test_a_short_gap_is_visible_and_one_before_the_line_is_not() -> None:
    short = Span(START + timedelta(days=10), START + timedelta(days=10, minutes=5))
    old = Span(START - timedelta(days=10), START - timedelta(days=9))
    line = line_of([old, short])

    assert len(bars(draw_coverage(line, Times()), "gap")) == 1
    assert coverage_words(line, Times()) == (
        "In the 30 days up to 2026-12-03 02:00:00 UTC: 1 gap that no run has covered, 5 min 00 s in all."
    )
    assert bars(draw_coverage(line, Times()), "covered") == []


@pytest.mark.parametrize(("minutes", "drawn"), [(5, 0), (600, 1)])
def test_time_that_is_not_due_is_drawn_if_it_is_visible(minutes: int, drawn: int) -> None:
    end = START + timedelta(days=30)
    line = line_of([], Span(end - timedelta(minutes=minutes), end))

    assert len(bars(draw_coverage(line, Times()), "pending")) == drawn
    assert "no gaps" in coverage_words(line, Times())


@pytest.mark.parametrize(
    ("hours", "words"), [(24.25, "24 h 15 min"), (48, "2 days"), (210, "8 days 18 h"), (24 * 1500, "1,500 days")]
)
def test_long_durations_are_in_days(hours: float, words: str) -> None:
    assert long_duration(hours * 3600) == words
