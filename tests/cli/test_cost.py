"""What a run costs: dollars by hand, and what is counted, reckoned and said to be reckoned."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from etl.invocation import metrics
from etl.model.stages import STATES
from etl_cli.costs.capacity import estimate
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.cost import Cost, bill, cost_of, money, plain, predicted
from etl_cli.costs.prices import price_list
from etl_cli.costs.usage import BUCKET_METRICS, FUNCTION_METRICS, GB, Usage
from etl_cli.runs.history import Timeline, read_new
from etl_cli.runs.ledger import LedgerEntry
from tests.fakes.recording import Recording

PRICES = price_list("us-east-1")
MILLION = 1_000_000
NONE = Usage(**{each.name: 0 for each in fields(Usage)})
START = datetime(2026, 11, 23, 2, tzinfo=UTC)
COUNTS = {
    "scanned": 8192 * 4,
    "read": 1_000,
    "read_units": 870,
    "extracted": 1_000,
    "extract_parts": 2,
    "extract_bytes": 418_000,
    "records": 900,
    "transform_parts": 2,
    "transform_bytes": 324_000,
    "loaded": 900,
    "write_units": 905,
}
RUN = LedgerEntry(
    "SUCCEEDED",
    None,
    name="night",
    started=START,
    finished=START + timedelta(minutes=2),
    segments=2,
    counts=COUNTS,
)


@pytest.mark.parametrize(
    ("usage", "service", "dollars"),
    [
        ({"read_units": 3 * MILLION}, "DynamoDB reads", "0.375"),
        ({"write_units": 2 * MILLION}, "DynamoDB writes", "1.25"),
        ({"gb_seconds": 10_000}, "Lambda", "0.166667"),
        ({"invocations": 5 * MILLION}, "Lambda", "1"),
        ({"transitions": 4_000}, "Step Functions", "0.1"),
        ({"puts": 2_000}, "S3", "0.01"),
        ({"gets": 5_000}, "S3", "0.002"),
        ({"staged_bytes": 10 * GB}, "S3", "0.23"),
        ({"log_bytes": 3 * GB}, "CloudWatch Logs", "1.5"),
        ({"metric_hours": 24 * 30 * 2}, "CloudWatch metrics", "0.6"),
        ({"events": 2 * MILLION}, "EventBridge", "2"),
        ({"traces": MILLION / 10}, "X-Ray", "0.5"),
    ],
)
def test_dollars_by_hand(usage: dict[str, float], service: str, dollars: str) -> None:
    cost = bill(replace(NONE, **usage), PRICES)

    assert cost.services[service] == Decimal(dollars)
    assert cost.total == Decimal(dollars)


def test_money_is_exact_and_never_a_float() -> None:
    cost = bill(replace(NONE, read_units=0.1, write_units=0.2, gb_seconds=0.3), PRICES)

    assert cost.services["DynamoDB reads"] == Decimal("0.0000000125")
    assert all(type(dollars) is Decimal for dollars in (*cost.services.values(), cost.total))
    assert json.loads(json.dumps(cost.document()))["services"]["DynamoDB writes"] == "0.000000125"


def test_arm_is_billed_at_its_own_price() -> None:
    assert bill(replace(NONE, gb_seconds=MILLION), PRICES, "arm64").total == Decimal("13.3334")


def test_a_prediction_bills_the_model_s_estimates() -> None:
    costs = Costs(page_us=1000, extract_us=2, transform_us=6, load_us=10, wire_bytes=418, state_bytes=100)
    found = estimate(Workload(table_bytes=10 * GB, share=0.01), CapacitySettings(), costs)

    cost = predicted(found, PRICES)

    assert cost.services["DynamoDB reads"] == Decimal(str(found.usage.read_units)) / MILLION * Decimal("0.125")
    assert cost.services["DynamoDB writes"] == Decimal(str(found.usage.write_units)) / MILLION * Decimal("0.625")
    assert cost.usage.invocations == found.invocations + 3
    assert (cost.usage.gb_seconds, cost.usage.log_bytes) == (found.usage.gb_seconds, found.usage.log_bytes)
    assert cost.estimated == tuple(vars(cost.usage))
    assert list(cost.services) == list(actual(RUN, None).services)


def actual(entry: LedgerEntry, timeline: Timeline | None, **more: Any) -> Cost:
    return cost_of(entry, timeline, PRICES, CapacitySettings(**more))


def followed(*happened: tuple[float, str, str]) -> Timeline:
    """A history of events at seconds: what happened, and the state that was entered or left."""
    timeline = Timeline()
    for number, (second, kind, state) in enumerate(happened, 1):
        event: dict[str, Any] = {"id": number, "type": kind, "timestamp": START + timedelta(seconds=second)}
        details = {"name": state, "output": "{}"}
        timeline.apply(event | {"stateEnteredEventDetails": details, "stateExitedEventDetails": details})
    return timeline


def stage(name: str, begin: float, *calls: tuple[float, float]) -> list[tuple[float, str, str]]:
    """A stage from a moment on, and its calls by their begin and their end."""
    events = [(begin, "StateEntered", name)]
    events += sorted(
        [(start, "LambdaFunctionScheduled", "") for start, _ in calls]
        + [(end, "LambdaFunctionSucceeded", "") for _, end in calls]
    )
    return [*events, (max((end for _, end in calls), default=begin), "StateExited", name)]


WHOLE = followed(
    (0, "ExecutionStarted", ""),
    *stage("Plan", 0, (0, 2)),
    *stage("Extract", 2, (2, 10), (2, 12)),
    *stage("Transform", 12, (12, 32), (12, 22)),
    *stage("Gate", 32, (32, 33)),
    *stage("Load", 33, (33, 63), (33, 43), (43, 53)),
    *stage("Finish", 63, (63, 64)),
    (64, "ExecutionSucceeded", ""),
)


def test_a_run_is_billed_by_its_counts_and_invocation_times() -> None:
    cost = actual(RUN, WHOLE)

    assert (cost.usage.read_units, cost.usage.write_units) == (870, 905)
    assert cost.usage.gb_seconds == 0.5 * (2 + 8 + 10 + 20 + 10 + 1 + 30 + 10 + 10 + 1)
    assert cost.usage.invocations == 3 + 7
    assert cost.usage.transitions == 8 + 2 * 7 + 3 * 2
    assert cost.usage.staged_bytes == 418_000 + 324_000
    assert (cost.usage.puts, cost.usage.events, cost.usage.traces) == (2 * (2 + 2), 1, 1)
    assert cost.estimated == ("puts", "gets", "log_bytes")


def test_memory_and_architecture_are_those_of_the_functions() -> None:
    usual, large = actual(RUN, WHOLE), actual(RUN, WHOLE, memory_mb=2048, architecture="arm64")

    assert large.usage.gb_seconds == 4 * usual.usage.gb_seconds
    requests = Decimal(10) / MILLION * Decimal("0.20")
    assert large.services["Lambda"] - requests == Decimal(str(large.usage.gb_seconds)) * Decimal("0.0000133334")


def test_uncounted_units_are_estimated_from_staged_sizes() -> None:
    counts = {name: count for name, count in COUNTS.items() if not name.endswith("_units")}

    cost = actual(replace(RUN, counts=counts), WHOLE)

    assert cost.usage.read_units == pytest.approx(8192 * 4 * 212 / 8192)
    assert cost.usage.write_units == 900
    assert cost.estimated == ("read_units", "write_units", "puts", "gets", "log_bytes")


def test_records_above_a_kilobyte_are_estimated_at_two_units() -> None:
    counts = {"scanned": 10, "records": 10, "loaded": 10, "transform_bytes": 10 * 1_500}

    assert actual(replace(RUN, counts=counts), WHOLE).usage.write_units == 20


def test_calls_of_a_distributed_map_are_estimated_at_most() -> None:
    timeline = followed(
        (0, "ExecutionStarted", ""),
        *stage("Plan", 0, (0, 2)),
        (2, "StateEntered", "Extract"),
        (12, "StateExited", "Extract"),
        (12, "StateEntered", "Transform"),
        (412, "StateExited", "Transform"),
        *stage("Gate", 412, (412, 413)),
        (413, "StateEntered", "Load"),
        (513, "StateExited", "Load"),
        *stage("Finish", 513, (513, 514)),
        (514, "ExecutionSucceeded", ""),
    )

    cost = actual(replace(RUN, segments=50), timeline)

    assert cost.usage.gb_seconds == 0.5 * (2 + 1 + 1 + 50 * (10 + 400 + 100))
    assert cost.usage.invocations == 3 + 50 * (1 + 2 + 1)
    assert cost.usage.transitions == 8 + 2 * 200 + 6 * 50
    assert {"gb_seconds", "invocations", "transitions"} < set(cost.estimated)


def test_a_throttled_start_is_a_transition_and_no_invocation() -> None:
    usual, throttled = actual(RUN, WHOLE), copy.deepcopy(WHOLE)
    throttled.stages["Load"].throttled_starts = 1_000

    usage = actual(RUN, throttled).usage

    assert usage.transitions == usual.usage.transitions + 1_000
    assert (usage.invocations, usage.gb_seconds) == (usual.usage.invocations, usual.usage.gb_seconds)


def test_a_run_whose_history_is_gone_is_reckoned_from_the_ledger() -> None:
    cost = actual(RUN, None)

    assert (cost.usage.read_units, cost.usage.write_units) == (870, 905)
    assert cost.usage.gb_seconds == pytest.approx(0.5 * 2 * 120)
    assert cost.usage.invocations == 3 + 3 * 2
    assert {"gb_seconds", "invocations", "transitions"} < set(cost.estimated)


def test_a_run_that_failed_has_cost_what_it_did_until_then() -> None:
    recording, timeline = Recording("failed_at_gate"), Timeline()
    recording.stepfunctions.shown = len(recording.events)
    read_new(cast(Any, recording.stepfunctions), recording.execution, timeline)
    timeline.stages["Extract"].counts = {"scanned": 40, "read_units": 3, "extract_bytes": 1_000, "extract_parts": 1}
    timeline.stages["Transform"].counts = {"scanned": 40, "read_units": 3, "transform_bytes": 10, "transform_parts": 1}

    cost = actual(replace(RUN, status="FAILED", counts={}, segments=1), timeline)

    assert (cost.usage.read_units, cost.usage.write_units, cost.usage.staged_bytes) == (3, 0, 1_010)
    assert cost.usage.invocations == 4  # Plan, Extract, Transform and Gate
    assert 0 < cost.usage.gb_seconds < (timeline.seconds or 0)
    assert cost.services["DynamoDB writes"] == 0
    assert {"transitions", "write_units"} < set(cost.estimated)


def test_a_run_that_never_began_costs_next_to_nothing() -> None:
    cost = actual(LedgerEntry("FAILED", None), Timeline())

    assert (cost.usage.gb_seconds, cost.usage.invocations, cost.usage.staged_bytes) == (0, 0, 0)
    assert cost.total < Decimal("0.02")


def test_metrics_are_billed_for_each_hour_with_a_value() -> None:
    of_each_state, an_hour = len(metrics.BY_STAGE), FUNCTION_METRICS + BUCKET_METRICS
    longer = replace(RUN, finished=START + timedelta(minutes=61))

    assert len(metrics.UNITS) - of_each_state + of_each_state * len(STATES) == FUNCTION_METRICS
    assert actual(RUN, WHOLE).usage.metric_hours == an_hour
    assert actual(longer, WHOLE).usage.metric_hours == 2 * an_hour


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        ("0", "$0.00"),
        ("1234.5678", "$1,234.57"),
        ("0.1", "$0.10"),
        ("0.0999", "$0.10"),
        ("0.0123", "$0.012"),
        ("0.00012345", "$0.00012"),
        ("0.000001", "$0.000001"),
        ("0.0000005", "<$0.000001"),
    ],
)
def test_money_has_cents_or_two_digits_below_ten_cents(dollars: str, shown: str) -> None:
    assert money(Decimal(dollars)) == shown


@pytest.mark.parametrize(
    ("dollars", "text"), [("0", "0.00"), ("1.5", "1.50"), ("12", "12.00"), ("0.0000001234", "0.000000123")]
)
def test_programs_get_dollars_without_an_exponent(dollars: str, text: str) -> None:
    assert plain(Decimal(dollars)) == text
