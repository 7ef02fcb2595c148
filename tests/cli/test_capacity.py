"""The capacity model: its formulas against figures worked out by hand, and against the code that they describe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.limits import break_even_share, export_dollars, largest_table, most_invocations
from etl_cli.costs import capacity
from etl_cli.costs.capacity import Estimate, estimate, table_read_units, write_seconds
from etl_cli.costs.capacity_advice import needs_quota, problems, recommend
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.prices import price_list
from etl_cli.costs.usage import GB, MB, history_events

COSTS = Costs(page_us=1000, extract_us=2, transform_us=6, load_us=10, wire_bytes=418, state_bytes=100)
# A vCPU whole, and nothing to wait for: what remains is what a test is about.
SWIFT = CapacitySettings(
    memory_mb=1769, scan_ms=0, write_ms=0, s3_ms=0, start_ms=0, read_units_per_second=1e12, write_units_per_second=1e12
)
PRICES = price_list("us-east-1").prices
MILLION = 1_000_000


def of(items: float, **more: Any) -> Workload:
    return Workload(table_bytes=items * Workload.item_bytes, **more)


def run(workload: Workload, settings: CapacitySettings = SWIFT, **more: Any) -> Estimate:
    return estimate(workload, replace(settings, **more), COSTS)


def stage(found: Estimate, name: str) -> capacity.StageEstimate:
    return next(each for each in found.stages if each.name == name)


@pytest.mark.parametrize(
    ("table_bytes", "segments"), [(1, 1), (256 * MB, 1), (256 * MB + 1, 2), (10 * GB, 40), (10 * 1024 * GB, 40)]
)
def test_segments_follow_the_table_up_to_the_workers(table_bytes: int, segments: int) -> None:
    assert run(Workload(table_bytes=table_bytes)).segments == segments


def test_cpu_is_shared_by_the_segments() -> None:
    found = run(of(10 * MILLION), segment_bytes=10 * MILLION * 212 / 4)
    pages = 10 * MILLION * 212 / MB / 4
    assert found.segments == 4
    assert stage(found, "extract").seconds == pytest.approx(2.5 * 2 + pages * 0.001)
    assert stage(found, "transform").seconds == pytest.approx(2.5 * 6)
    assert stage(found, "load").seconds == pytest.approx(2.5 * 10)


def test_half_a_vcpu_takes_twice_as_long_and_two_are_no_faster() -> None:
    whole, half, double = (run(of(MILLION), memory_mb=memory).seconds for memory in (1769, 884.5, 3538))
    assert half == pytest.approx(2 * whole)
    assert double == pytest.approx(whole)


def test_a_slower_processor_takes_longer() -> None:
    assert run(of(MILLION), cpu_speed=0.5).seconds == pytest.approx(2 * run(of(MILLION)).seconds)


def test_cpu_grows_with_the_size_of_the_items() -> None:
    large = stage(run(of(MILLION, wire_bytes=4180)), "transform").seconds
    assert large == pytest.approx(10 * stage(run(of(MILLION)), "transform").seconds)


def test_a_sparse_window_reads_the_whole_table_writes_its_own() -> None:
    dense, sparse = run(of(MILLION)), run(of(MILLION, share=0.01))
    assert sparse.usage.read_units == dense.usage.read_units == MILLION * 212 / 8192
    assert (dense.usage.write_units, sparse.usage.write_units) == (MILLION, 10_000)


def test_write_units_round_up_and_count_added_bytes() -> None:
    found = [run(Workload(table_bytes=size, item_bytes=size)) for size in (975, 976, 2048)]
    assert [each.usage.write_units for each in found] == [1, 2, 3]


def test_waiting_for_pages_and_cpu_overlap() -> None:
    pages = 100
    slow = stage(run(Workload(table_bytes=pages * MB, share=0), scan_ms=50), "extract")
    assert slow.seconds == pytest.approx(pages * 0.05)
    assert slow.bound_by == "latency"
    quick = stage(run(Workload(table_bytes=pages * MB, share=0), scan_ms=0.5), "extract")
    assert quick.seconds == pytest.approx(pages * 0.001)
    assert quick.bound_by == "CPU"


def test_batches_in_flight_share_the_waiting_for_writes() -> None:
    found = stage(run(of(MILLION), write_ms=10_000), "load")
    assert found.seconds == pytest.approx(MILLION / 25 / 16 * 10)
    assert found.bound_by == "latency"


@pytest.mark.parametrize(("name", "record_bytes", "cpu_us"), [("transform", 418, 6), ("load", 360, 10)])
def test_waiting_for_what_is_read_from_s3_comes_on_top(name: str, record_bytes: int, cpu_us: int) -> None:
    gets = MILLION * record_bytes / (4 * MB)
    found = stage(run(of(MILLION), segment_bytes=1e15, s3_ms=50), name)
    assert found.seconds == pytest.approx(MILLION * cpu_us / 1e6 + gets * 0.05)


def test_each_segment_adds_to_the_state() -> None:
    assert run(Workload(table_bytes=10 * GB)).state_bytes == 40 * COSTS.state_bytes


def test_the_source_s_throughput_binds_all_workers() -> None:
    found = stage(run(Workload(table_bytes=8192 * 40_000 * 60), read_units_per_second=40_000), "extract")
    assert found.seconds == pytest.approx(60)
    assert found.bound_by == "source table"


@pytest.mark.parametrize(("gb", "units"), [(1, 12_000), (40, 12_000), (50, 15_000), (100, 30_000), (1024, 40_000)])
def test_an_on_demand_table_reads_by_partitions_within_quota(gb: int, units: int) -> None:
    assert table_read_units(gb * GB) == units


def test_the_destination_s_throughput_binds_all_workers() -> None:
    found = stage(run(of(MILLION), write_units_per_second=4_000), "load")
    assert found.seconds == pytest.approx(250)
    assert found.bound_by == "destination table"


def test_the_ceiling_on_writes_binds_where_it_is_lower() -> None:
    assert stage(run(of(MILLION), max_write_units_per_second=1_000), "load").seconds == pytest.approx(1_000, rel=0.01)


def test_the_ceiling_on_reads_binds_where_it_is_lower() -> None:
    table = Workload(table_bytes=8192 * 1_000 * 60)
    found = stage(run(table, source_read_units_per_second=1_000), "extract")
    assert found.seconds == pytest.approx(60)
    assert found.bound_by == "ceiling on reads"
    higher = stage(run(table, source_read_units_per_second=1_000, read_units_per_second=500), "extract")
    assert higher.seconds == pytest.approx(120)
    assert higher.bound_by == "source table"


@pytest.mark.parametrize(("ceiling", "segments"), [(0, 40), (10, 1), (36, 1), (100, 2), (1_000, 27), (10_000, 40)])
def test_a_ceiling_on_reads_allows_so_many_workers(ceiling: int, segments: int) -> None:
    assert run(Workload(table_bytes=10 * GB), source_read_units_per_second=ceiling).segments == segments


def test_workers_that_take_turns_have_their_share_of_the_reads_alone() -> None:
    ceiling = {"source_read_units_per_second": 2_000, "start_ms": 0}
    whole, fewer = (run(of(40 * MILLION), CapacitySettings(), **ceiling, functions_at_once=room) for room in (40, 10))
    assert stage(fewer, "extract").seconds == pytest.approx(whole.segments / 10 * stage(whole, "extract").seconds)


def test_an_on_demand_table_doubles_each_half_hour_to_the_quota() -> None:
    assert write_seconds(4_000 * 1800, 4_000, 40_000) == 1800
    assert write_seconds(4_000 * 1800 + 8_000 * 100, 4_000, 40_000) == 1900
    in_two_hours = 1800 * (4_000 + 8_000 + 16_000 + 32_000)
    assert write_seconds(in_two_hours + 40_000 * 10, 4_000, 40_000) == 4 * 1800 + 10
    assert write_seconds(1e9, 4_000, 4_000) == 1e9 / 4_000


def test_a_stage_continues_after_five_minutes_less_the_reserve() -> None:
    one, two = (run(of(items), segment_bytes=1e15) for items in (29_390_000, 29_410_000))
    assert (stage(one, "load").invocations, stage(two, "load").invocations) == (1, 2)
    assert one.segments == 1


def test_each_invocation_costs_its_start() -> None:
    idle = run(of(30 * MILLION), segment_bytes=1e15)
    assert run(of(30 * MILLION), segment_bytes=1e15, start_ms=1000).seconds == pytest.approx(
        idle.seconds + idle.invocations + 3
    )


def test_events_are_those_of_the_definition() -> None:
    # 2 of the execution, 5 of each of 4 tasks, 2 of the last state, 4 of each of 3 Maps, 4 of each segment in each, 7
    # of each invocation.
    assert history_events(1, 3, inline=True) == 2 + 20 + 2 + 12 + 12 + 21
    assert history_events(1_000, 3_000, inline=False) == 2 + 20 + 2 + 18


def test_as_many_invocations_fit_as_the_history_has_events_for() -> None:
    most = most_invocations(40)
    assert history_events(40, most, inline=True) <= 25_000 < history_events(40, most + 1, inline=True)


def test_lambda_bills_the_workers_time_and_not_only_their_cpu() -> None:
    found = run(of(MILLION), write_units_per_second=4_000, segment_bytes=MILLION * 212 / 2, memory_mb=512)
    assert found.usage.gb_seconds == pytest.approx(0.5 * 2 * sum(each.seconds for each in found.stages))


def test_a_large_object_is_uploaded_in_parts() -> None:
    found = run(of(MILLION), segment_bytes=1e15)
    staged = MILLION * (418 + 360)
    assert found.usage.staged_bytes == staged
    assert found.usage.puts == pytest.approx(staged / (5 * MB) + 3 * staged / (64 * MB))
    assert found.usage.gets == pytest.approx(staged / (4 * MB) + 2 * staged / (64 * MB))


def test_small_objects_take_a_request_each_and_one_per_seal() -> None:
    found = run(of(1000), segment_bytes=1000 * 212 / 4)
    assert found.segments == 4
    assert found.usage.puts == 2 * 4 * 2
    assert found.usage.gets == pytest.approx(2 * 4 * 2, abs=0.2)


def test_transitions_are_those_of_the_definition() -> None:
    found = run(of(MILLION), segment_bytes=MILLION * 212 / 4)
    assert found.usage.transitions == 8 + 3 * 4 * (2 + 1)
    assert run(of(MILLION), segment_bytes=MILLION * 212 / 4, concurrency=41).usage.transitions == 8 + 3 * 4 * (2 + 2)


def test_what_is_logged_grows_with_events_and_invocations() -> None:
    one, four = (run(of(MILLION), segment_bytes=MILLION * 212 / segments) for segments in (1, 4))
    assert one.usage.log_bytes == (2 + 22 + 12 + 3 * 4 + 7 * 3) * 500 + (3 + 3) * 1_500
    assert four.usage.log_bytes == (2 + 22 + 12 + 3 * 4 * 4 + 7 * 12) * 500 + (12 + 3) * 1_500


def test_dropped_items_are_read_and_transformed_but_not_written() -> None:
    all_kept, half = run(of(MILLION)), run(of(MILLION, kept=0.5))
    assert [stage(half, name).seconds for name in ("extract", "transform")] == [
        stage(all_kept, name).seconds for name in ("extract", "transform")
    ]
    assert stage(half, "load").seconds == pytest.approx(stage(all_kept, "load").seconds / 2)
    assert half.usage.write_units == all_kept.usage.write_units / 2
    assert half.usage.staged_bytes == MILLION * (418 + 360 / 2)


def test_a_slower_pace_stretches_stages_and_lambda_s_bill() -> None:
    usual, slow = (run(of(30 * MILLION), CapacitySettings(), pace=pace, start_ms=0) for pace in (1.0, 1.5))
    assert slow.seconds == pytest.approx(1.5 * usual.seconds)
    assert slow.usage.gb_seconds == pytest.approx(1.5 * usual.usage.gb_seconds)
    assert slow.invocations > usual.invocations


def test_workers_beyond_lambda_s_room_take_turns() -> None:
    fast = {"read_units_per_second": 1e12, "write_units_per_second": 1e12, "concurrency": 40, "start_ms": 0}
    workload = of(40 * MILLION)

    whole, fewer = (run(workload, CapacitySettings(), **fast, functions_at_once=room) for room in (1_000, 10))

    assert (whole.waves, fewer.waves) == (1, 4)
    assert fewer.segments == whole.segments
    assert stage(fewer, "transform").seconds == pytest.approx(4 * stage(whole, "transform").seconds)
    assert fewer.usage.gb_seconds == pytest.approx(whole.usage.gb_seconds)
    assert fewer.invocations == whole.invocations


def test_a_table_serves_workers_that_take_turns_as_fast() -> None:
    slow = {"write_units_per_second": 1_000, "max_write_units_per_second": 0, "start_ms": 0}
    workload = of(40 * MILLION)

    whole, fewer = (run(workload, CapacitySettings(), **slow, functions_at_once=room) for room in (1_000, 10))

    assert stage(fewer, "load").bound_by == "destination table"
    assert stage(fewer, "load").seconds == stage(whole, "load").seconds


def test_a_worker_has_its_share_of_the_ceiling_alone() -> None:
    ceiling = {"max_write_units_per_second": 1_000, "start_ms": 0}
    whole, fewer = (run(of(40 * MILLION), CapacitySettings(), **ceiling, functions_at_once=room) for room in (40, 10))

    assert stage(fewer, "load").seconds == pytest.approx(whole.segments / 10 * stage(whole, "load").seconds)


def test_no_more_workers_are_advised_than_lambda_runs_at_once() -> None:
    slow = CapacitySettings(cpu_speed=0.01, write_units_per_second=320_000, functions_at_once=50)
    workload = of(20 * MILLION)

    advised = recommend(workload, slow, COSTS)

    assert advised.concurrency == 50
    assert estimate(workload, advised, COSTS).waves == 1
    (against,) = problems(estimate(workload, replace(slow, functions_at_once=10), COSTS), slow)
    assert "ask Service Quotas for more concurrent executions" in against


def test_nothing_is_advised_where_the_time_suffices() -> None:
    settings = CapacitySettings()
    assert recommend(Workload(table_bytes=GB, share=0.01), settings, COSTS) == settings


@pytest.mark.parametrize("share", [1.0, 0.01])
@pytest.mark.parametrize("gb", [1, 10, 100, 1024, 10 * 1024])
def test_what_is_advised_fits_the_time_that_it_gives(gb: int, share: float) -> None:
    workload = Workload(table_bytes=gb * GB, share=share)
    settings = recommend(workload, CapacitySettings(), COSTS)
    assert estimate(workload, settings, COSTS).seconds <= 0.8 * settings.timeout_seconds


def test_the_binding_table_is_raised_and_workers_stay() -> None:
    advised = recommend(of(20 * MILLION), CapacitySettings(), COSTS)
    assert advised == replace(CapacitySettings(), write_units_per_second=advised.write_units_per_second)
    assert advised.write_units_per_second > 4_000


def test_smaller_segments_give_more_workers_up_to_the_limit() -> None:
    slow = CapacitySettings(cpu_speed=0.01, write_units_per_second=320_000)
    advised = recommend(of(2 * MILLION), slow, COSTS)
    assert advised.segment_bytes < slow.segment_bytes
    assert advised.concurrency == slow.concurrency


def test_the_largest_table_fits_and_a_larger_one_does_not() -> None:
    workload, settings = Workload(table_bytes=GB), CapacitySettings()
    most = largest_table(workload, settings, COSTS)
    fits, not_any_more = (
        estimate(replace(workload, table_bytes=most + more), settings, COSTS).seconds for more in (0, 4 * MB)
    )
    assert fits <= 1800 < not_any_more


def test_problems_name_what_to_raise() -> None:
    settings = CapacitySettings()
    found = run(of(100 * MILLION), settings)
    (problem,) = problems(found, settings)
    assert "has 30" in problem
    assert "raise the destination table's warm throughput" in problem
    assert problems(run(of(1), settings), settings) == []


def test_problems_name_the_history_and_the_state() -> None:
    settings = CapacitySettings(timeout_seconds=1e9)
    found = replace(run(of(1), settings), history_events=25_001, state_bytes=262_145)
    history, state = problems(found, settings)
    assert "25,001 events" in history
    assert "262,145 bytes" in state


def test_a_quota_is_needed_above_the_default_and_own_units() -> None:
    now, given = CapacitySettings(), CapacitySettings(write_units_per_second=80_000, read_units_per_second=80_000)
    assert not needs_quota(replace(now, write_units_per_second=40_000, read_units_per_second=40_000), now)
    assert needs_quota(replace(now, write_units_per_second=80_000), now)
    assert needs_quota(replace(now, read_units_per_second=80_000), now)
    assert not needs_quota(given, given)


def test_a_ceiling_on_writes_is_raised_before_the_table() -> None:
    low = CapacitySettings(max_write_units_per_second=1_000)
    advised = recommend(of(4 * MILLION), low, COSTS)
    assert advised == replace(low, max_write_units_per_second=4_000)
    (problem,) = problems(run(of(4 * MILLION), low), low)
    assert "raise max_write_units_per_second" in problem


def test_a_ceiling_on_reads_is_doubled_until_the_run_fits() -> None:
    low, table = CapacitySettings(source_read_units_per_second=100), Workload(table_bytes=8192 * 400_000, share=0.01)
    assert recommend(table, low, COSTS) == replace(low, source_read_units_per_second=400)
    (problem,) = problems(run(table, low), low)
    assert "because of the ceiling on reads: raise source_read_units_per_second" in problem


def test_a_ceiling_on_reads_that_allows_too_few_workers_is_raised() -> None:
    slow = CapacitySettings(source_read_units_per_second=100, cpu_speed=0.01, write_units_per_second=320_000)
    workload = of(2 * MILLION)
    found = run(workload, slow)
    assert (found.segments, found.slowest.bound_by) == (2, "CPU")
    (problem,) = problems(found, slow)
    assert "100 read units a second allows 2 workers: raise source_read_units_per_second" in problem
    advised = recommend(workload, slow, COSTS)
    assert advised.source_read_units_per_second > 100
    assert advised.concurrency == slow.concurrency
    assert run(workload, advised).seconds <= 0.8 * advised.timeout_seconds


def test_an_export_bills_changes_and_a_scan_bills_the_table() -> None:
    workload = Workload(table_bytes=100 * GB, share=0.01)
    assert float(export_dollars(workload)) == pytest.approx(0.1)
    even = replace(workload, share=float(break_even_share(PRICES)))
    reads = run(even).usage.read_units / MILLION * float(PRICES.million_read_units)
    assert float(export_dollars(even)) == pytest.approx(reads)


def test_costs_are_read_from_what_the_benchmark_recorded(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    path.write_text(json.dumps({"model": COSTS.__dict__ | {"more": 1}}))
    assert Costs.read(path) == COSTS
    assert Costs.read().load_us > 0
