"""`etl plan`: its window, what it expects by the runs before, what it asks AWS for, and what it says."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.change_time import ChangeTime
from etl.model.keys import KeyAttribute
from etl.model.schema import Schema
from etl.model.windows import WindowRules
from etl_cli.app import app
from etl_cli.aws.deployment import Deployment
from etl_cli.costs.capacity import estimate
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.cost import cost_of
from etl_cli.costs.deployed import Deployed, SourceSize, read_deployed
from etl_cli.costs.function_room import Room
from etl_cli.costs.planned_window import PlannedWindow, planned_window
from etl_cli.costs.planning import Outlook, Plan, advice_lines, make_plan, parts_line, predicted_cost
from etl_cli.costs.prices import price_list
from etl_cli.costs.usage import GB
from etl_cli.costs.workload import RECENT, expect, pace, representative_runs
from etl_cli.render.plan import plan_document, print_plan
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Span, Times
from tests.docs.examples import example
from tests.fakes.aws import FakeAws, RefusalError, account, stack, stacks
from tests.fakes.pipeline import ENVIRONMENT
from tests.fakes.recording import specified
from tests.fakes.state_machine import OUTPUTS

NOW = datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC)
ETL = EtlLines(program="etl")
RULES = WindowRules(
    lookback=timedelta(hours=24),
    lateness=timedelta(minutes=15),
    catch_up=timedelta(days=30),
    event_window=timedelta(days=31),
)
COSTS = Costs(page_us=1_200, extract_us=2, transform_us=15, load_us=11, wire_bytes=418, state_bytes=100)
SOURCE = SourceSize(name="etl-source-data", size_bytes=10 * GB, items=50_000_000)
DEPLOYED = Deployed(
    region="eu-west-1",
    endpoint="https://aws.example",
    source=SOURCE,
    destination="etl-destination-data",
    rules=RULES,
    capacity=CapacitySettings(),
    room=Room(quota=1_000, unreserved=1_000, reserved={}),
)
DAY = Span(NOW - timedelta(hours=24), NOW)
PRICES = price_list("eu-west-1")


def night(day: int, read: int = 500_000, seconds: float = 250, **counts: int) -> LedgerEntry:
    """The entry of a night's run, whose window has 25 hours."""
    end = datetime(2026, 11, day, 2, tzinfo=UTC)
    return LedgerEntry(
        "SUCCEEDED",
        Span(end - timedelta(hours=25), end),
        name=f"night-{day}",
        started=end,
        finished=end + timedelta(seconds=seconds),
        segments=40,
        counts={
            "scanned": 50_000_000,
            "read": read,
            "extracted": read,
            "extract_bytes": 420 * read,
            "records": read * 98 // 100,
            "transform_bytes": 350 * (read * 98 // 100),
            "loaded": read * 98 // 100,
            "write_units": read * 98 // 100,
        }
        | counts,
    )


def made(window: Span = DAY, runs: tuple[LedgerEntry, ...] = (), **deployed: Any) -> Plan:
    planned = PlannedWindow(window, "as asked for")
    return make_plan(planned, replace(DEPLOYED, **deployed), runs, PRICES, NOW, COSTS)


def test_a_window_says_why_it_is_that_one() -> None:
    def why(asked: dict[str, Any], watermark: datetime | None, found: WindowRules = RULES) -> str:
        return planned_window(asked, found, watermark, NOW, ETL).why

    assert why({}, None) == "the last 24 hours, and 15 min for late items"
    assert why({}, NOW - timedelta(hours=30)) == "all since the watermark, and 15 min for late items"
    assert why({}, None, RULES._replace(lateness=timedelta(0))) == "the last 24 hours"
    assert why({"lookback_hours": 1}, None) == "the last 1 hour, as asked for"
    assert why({"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}, None) == "as asked for"


def test_too_much_to_catch_up_on_is_refused_with_a_plan_line() -> None:
    with pytest.raises(UserError, match="CatchUpError") as caught:
        planned_window({}, RULES, NOW - timedelta(days=31), NOW, ETL)

    assert caught.value.remedy.endswith("etl plan --start 2026-10-23T02:00:05Z --end 2026-11-23T02:00:05Z")


def test_only_ended_successful_runs_with_a_window_count() -> None:
    others = [
        replace(night(22), status="FAILED"),
        replace(night(21), replay="20261101T020000000Z"),
        replace(night(20), window=None),
        replace(night(19), counts={}),
        replace(night(18), finished=None),
        night(23),  # ends after the present
    ]

    assert representative_runs([*others, night(17)], NOW) == [night(17)]
    assert len(representative_runs([night(day) for day in range(22, 8, -1)], NOW)) == RECENT


def test_a_window_holds_the_median_of_earlier_runs_per_hour() -> None:
    runs = [night(22, 500_000), night(21, 25_000), night(20, 5_000_000)]

    found = expect(PlannedWindow(DAY, ""), SOURCE, runs, NOW)

    assert (found.per_hour, found.runs) == (20_000, 3)
    assert found.workload.read == pytest.approx(24 * 20_000)
    assert found.workload.table_bytes == pytest.approx(10 * GB)


def test_sizes_and_what_is_kept_are_those_of_the_runs_before() -> None:
    workload = expect(PlannedWindow(DAY, ""), SOURCE, [night(22, write_units=980_000)], NOW).workload

    assert (workload.wire_bytes, workload.record_bytes, workload.kept) == (420, 350, 0.98)
    assert workload.item_bytes == pytest.approx(10 * GB / 50_000_000)
    assert workload.units_per_record == 2


def test_untimed_and_future_items_do_not_grow_with_the_window() -> None:
    apart = {"untimed": 100_000, "ahead": 50_000}
    second = replace(night(22, read=150_000, **apart), window=Span(DAY.start, DAY.start + timedelta(seconds=1)))
    month = PlannedWindow(Span(NOW - timedelta(days=30), NOW), "")

    assert expect(month, SOURCE, [second], NOW).workload.read == pytest.approx(150_000)
    assert expect(month, SOURCE, [night(22, read=650_000, **apart)], NOW).workload.read == pytest.approx(
        20_000 * 24 * 30 + 150_000
    )


def test_without_earlier_runs_a_window_may_hold_the_table() -> None:
    found = expect(PlannedWindow(DAY, ""), SOURCE, [], NOW)

    assert (found.per_hour, found.runs) == (None, 0)
    assert found.workload.read == pytest.approx(50_000_000)
    assert found.workload.wire_bytes == pytest.approx(418 * (10 * GB / 50_000_000) / 212)
    assert (found.workload.kept, found.workload.units_per_record) == (1, None)


def test_a_window_never_holds_more_than_the_table() -> None:
    year = Span(NOW - timedelta(days=3660), NOW)

    assert expect(PlannedWindow(year, ""), SOURCE, [night(22)], NOW).workload.read == pytest.approx(50_000_000)


@pytest.mark.parametrize(("ended", "items"), [(timedelta(hours=5), 60_000_000), (timedelta(hours=7), 50_000_000)])
def test_a_recent_run_wins_over_the_table_s_own_size(ended: timedelta, items: int) -> None:
    run = replace(night(22, scanned=60_000_000), finished=NOW - ended)

    assert expect(PlannedWindow(DAY, ""), SOURCE, [run], NOW).workload.items == pytest.approx(items)


def test_an_uncounted_table_is_as_large_as_the_last_run_found() -> None:
    run = replace(night(22, scanned=1_000, read=1_000), finished=NOW - timedelta(hours=1))
    source = SourceSize(name="new", size_bytes=0, items=0)

    workload = expect(PlannedWindow(DAY, ""), source, [run], NOW).workload

    assert workload.table_bytes == pytest.approx(1_000 * 420 * 212 / 418)
    assert workload.read == pytest.approx(24 / 25 * 1_000)


def test_an_empty_table_is_planned_too() -> None:
    found = made(source=SourceSize(name="new", size_bytes=0, items=0))

    assert found.expected.workload == Workload(table_bytes=0, share=0)
    assert found.problems == ()


def test_slower_runs_of_this_size_stretch_the_times() -> None:
    workload = expect(PlannedWindow(DAY, ""), SOURCE, [night(22)], NOW).workload
    usual = estimate(replace(workload, share=0.01), CapacitySettings(), COSTS).seconds
    runs = [night(day, seconds=usual * times) for day, times in ((22, 1.5), (21, 1.2), (20, 0.9))]
    others = [
        night(19, seconds=usual * 9),
        night(18, seconds=usual / 9),
        night(17, read=49_000_000, seconds=5_000),
        replace(night(16, seconds=usual * 3), segments=4),
        replace(night(15), finished=None),
    ]

    times, alike = pace(workload, CapacitySettings(), COSTS, [*runs, *others])
    assert times == pytest.approx(1.2, rel=0.01)
    assert alike == 3
    assert pace(workload, CapacitySettings(), COSTS, others) == (1.0, 0)


def test_a_run_that_fits_has_no_problems_and_no_advice() -> None:
    found = made(runs=(night(22), night(21)))

    assert (found.problems, found.advice, found.parts, found.alike) == ((), None, None, 2)
    assert found.outlook.cost.total == sum(found.outlook.cost.services.values())
    assert found.outlook.settings.pace != 1


MONTHS = Span(NOW - timedelta(days=100), NOW)


def test_a_run_that_does_not_fit_gets_settings_that_make_it_fit() -> None:
    found = made(MONTHS, (night(22),))

    assert "destination table's warm throughput" in found.problems[0]
    assert isinstance(found.advice, Outlook)
    assert found.advice.found.seconds <= 0.8 * 1800 < 1800 < found.outlook.found.seconds
    assert advice_lines(found, EtlLines("night", "eu-west-1", "etl")) == [
        "aws dynamodb update-table --table-name etl-destination-data --warm-throughput WriteUnitsPerSecond=40000 "
        "--profile night --region eu-west-1"
    ]


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        ("https://aws.example", "cdk deploy EtlPipelineStack -c {} --profile night"),
        ("http://127.0.0.1:4566", "etl local deploy -c {}"),
    ],
)
def test_a_ceiling_that_binds_is_raised_by_a_deployment(endpoint: str, line: str) -> None:
    low = CapacitySettings(max_write_units_per_second=100)

    found = made(Span(NOW - timedelta(days=10), NOW), (night(22),), capacity=low, endpoint=endpoint)

    assert "raise max_write_units_per_second" in found.problems[0]
    assert advice_lines(found, EtlLines("night", None, "etl")) == [line.format("etl:max_write_units_per_second=4000")]


def test_a_ceiling_on_reads_is_shown_and_raised_by_a_deployment() -> None:
    low = CapacitySettings(source_read_units_per_second=100)

    found = made(runs=(night(22),), capacity=low)

    assert found.advice
    raised = found.advice.settings.source_read_units_per_second
    assert raised > 100
    assert f"etl:source_read_units_per_second={raised}" in advice_lines(found, ETL)[-1]
    told = " ".join(printed(found).split())
    assert "2, with a worker each no more may share a ceiling of 100 read units a second" in told
    assert "ceiling on reads" in told
    assert plan_document(found, ETL)["advice"]["source_read_units_per_second"] == raised
    assert "may share a ceiling" not in printed(made(runs=(night(22),)))


def test_workers_and_source_are_raised_where_they_bind() -> None:
    slow = CapacitySettings(concurrency=4, segment_bytes=GB, read_units_per_second=100, write_units_per_second=40_000)

    lines = advice_lines(made(runs=(night(22),), capacity=slow), ETL)

    assert any(re.search(r"etl-source-data --warm-throughput ReadUnitsPerSecond=\d+$", line) for line in lines)
    slow = replace(slow, read_units_per_second=40_000, cpu_speed=0.01)
    assert any("-c etl:concurrency=" in line for line in advice_lines(made(runs=(night(22),), capacity=slow), ETL))


def test_where_nothing_helps_but_time_the_time_is_told() -> None:
    most = CapacitySettings(concurrency=1_000, read_units_per_second=320_000, write_units_per_second=320_000)
    source = SourceSize(name="etl-source-data", size_bytes=2_000 * GB, items=10_000_000_000)

    found = made(source=source, capacity=most)

    assert found.advice
    assert found.advice.settings == replace(most, timeout_seconds=found.advice.settings.timeout_seconds)
    assert found.advice.settings.timeout_seconds > 1800
    assert advice_lines(found, ETL) == []
    assert "runtime/etl/model/statuses.py" in printed(found)


def test_more_than_the_quota_is_advised_with_a_word_about_it() -> None:
    text = " ".join(printed(made()).split())

    assert "WriteUnitsPerSecond=80000 Warm throughput is billed once" in text
    assert "AWS must first raise the table's quota of 40,000 units a second." in text


def test_a_long_window_splits_into_whole_days_or_hours() -> None:
    found = made(MONTHS, (night(22),))

    assert found.parts
    assert found.parts.hours % 24 == 0
    assert found.parts.number * found.parts.hours >= 2400 > (found.parts.number - 1) * found.parts.hours
    assert found.parts.each.found.seconds <= 0.8 * 1800
    longer = made(Span(NOW - timedelta(hours=found.parts.hours + 24), NOW), (night(22),))
    assert longer.outlook.found.seconds > 0.8 * 1800
    each = found.parts.each.cost
    assert (found.parts.number - 1) * each.total < found.parts.dollars < found.parts.number * each.total
    reads = found.parts.number * each.services["DynamoDB reads"]
    assert found.parts.dollars > found.outlook.cost.services["DynamoDB writes"] + reads
    assert parts_line(found, ETL) == (
        f"etl backfill --from 2026-08-15T02:00:05Z --to 2026-11-23T02:00:05Z --step {found.parts.hours // 24}d"
    )


def test_parts_are_hours_if_days_do_not_fit_and_else_none() -> None:
    hourly = made(runs=(night(22, read=49_000_000),))
    never = made(runs=(night(22),), capacity=CapacitySettings(read_units_per_second=100))

    assert hourly.parts
    assert 1 <= hourly.parts.hours < 24
    assert parts_line(hourly, ETL).endswith(f"--step {hourly.parts.hours}h")
    assert never.problems
    assert (never.parts, parts_line(never, ETL)) == (None, "")


def test_a_prediction_uses_earlier_runs_and_the_own_window() -> None:
    entries = [night(22, read=9_999_999), night(21), night(20, read=450_000), night(19, read=450_000)]

    cost = predicted_cost(entries[1], entries, DEPLOYED, PRICES)

    assert cost
    assert cost.usage.write_units == pytest.approx(450_000 * 0.98)
    assert cost.services.keys() == cost_of(entries[1], None, PRICES, CapacitySettings()).services.keys()
    assert predicted_cost(replace(entries[1], window=None), entries, DEPLOYED, PRICES) is None
    assert predicted_cost(replace(entries[1], replay="20261101T020000000Z"), entries, DEPLOYED, PRICES) is None


def test_what_was_predicted_takes_the_table_as_the_run_found_it() -> None:
    half = night(21, scanned=25_000_000)

    cost = predicted_cost(half, [half, night(20)], DEPLOYED, PRICES)

    assert cost
    assert cost.usage.read_units == pytest.approx(5 * GB / 8192)


def printed(plan: Plan, width: int = 80) -> str:
    console = Terminal(file=io.StringIO(), width=width, soft_wrap=True)
    print_plan(console, plan, Times(), ETL)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return "\n".join(line.rstrip() for line in text.split("\n"))  # as it is piped


def test_the_example_of_the_documentation() -> None:
    five_days = Span(datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))

    assert printed(made(five_days, (night(22, 2_500_000, 830), night(21, 2_300_000, 790)))) == example("etl plan")


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_but_lines_to_type_is_wider_than_the_terminal(width: int) -> None:
    for plan in (made(), made(runs=(night(22),)), made(MONTHS, (night(22),))):
        lines = printed(plan, width).splitlines()
        assert [line for line in lines if len(line) > width and not re.match(r"  (aws|cdk|etl) ", line)] == []


def test_what_was_never_run_is_said_to_be_the_most_it_can_be() -> None:
    text = " ".join(printed(made()).split())

    assert "about 50,000,000 items the whole table, as the upper limit" in text
    assert "there is no run of about this size" in text


def test_a_plan_says_that_a_window_holds_the_whole_table() -> None:
    text = " ".join(printed(made(Span(NOW - timedelta(days=3660), NOW), (night(22),))).split())

    assert "about 50,000,000 items the whole table: the last run found 20,000 in an hour of window" in text


def test_programs_get_the_plan_with_exact_dollars() -> None:
    found = made(MONTHS, (night(22),))

    document = json.loads(json.dumps(plan_document(found, ETL)))

    assert not document["fits"]
    assert document["window"] == {
        "start": "2026-08-15T02:00:05Z",
        "end": "2026-11-23T02:00:05Z",
        "why": "as asked for",
    }
    assert document["expected"]["from_runs"] == 1
    assert [stage["name"] for stage in document["stages"]] == ["extract", "transform", "load"]
    assert document["cost"]["total"] == f"{found.outlook.cost.total:.9f}".rstrip("0")
    assert document["advice"]["commands"] == advice_lines(found, ETL)
    assert document["parts"]["command"] == parts_line(found, ETL)
    fits = plan_document(made(runs=(night(22),)), ETL)
    assert (fits["fits"], fits["problems"], fits["advice"], fits["parts"]) == (True, [], None, None)


SETTINGS = {
    "LOOKBACK_HOURS": "48",
    "LATENESS_MINUTES": "30",
    "CATCH_UP_DAYS": "7",
    "EVENT_WINDOW_DAYS": "31",
    "CONCURRENCY": "100",
    "SEGMENT_BYTES": "1048576",
    "MAX_WRITE_UNITS_PER_SECOND": "500",
}


def aws(**answers: Any) -> FakeAws:
    table = {"TableName": "t", "TableSizeBytes": 4_000_000, "ItemCount": 20_000, "TableStatus": "ACTIVE"}

    def described(TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Table": specified("source" in TableName) | table}

    function = {
        "FunctionName": "etl-extract",
        "MemorySize": 1024,
        "Architectures": ["arm64"],
        "Environment": {"Variables": ENVIRONMENT | SETTINGS},
    }
    definition = json.dumps({"TimeoutSeconds": 7200})
    usual: dict[str, Any] = {
        "cloudformation.DescribeStacks": stacks(stack(OUTPUTS)),
        "lambda.GetFunctionConfiguration": function,
        "lambda.GetAccountSettings": account(400, 300),
        "lambda.GetFunctionConcurrency": {},
        "dynamodb.DescribeTable": described,
        "sfn.DescribeStateMachine": {"definition": definition, "status": "ACTIVE"},
        "dynamodb.Query": {"Items": []},
        "dynamodb.GetItem": {},
    }
    return FakeAws(usual | answers)


def test_settings_are_those_of_the_deployed_functions() -> None:
    found = read_deployed(Deployment.find(aws().session))

    assert found.rules == WindowRules(
        lookback=timedelta(hours=48),
        lateness=timedelta(minutes=30),
        catch_up=timedelta(days=7),
        event_window=timedelta(days=31),
    )
    assert found.source == SourceSize(name="etl-source-data", size_bytes=4_000_000, items=20_000)
    assert found.capacity == CapacitySettings(
        concurrency=100,
        segment_bytes=1048576,
        max_write_units_per_second=500,
        memory_mb=1024,
        architecture="arm64",
        functions_at_once=300,
        timeout_seconds=7200,
    )
    assert (found.region, found.destination) == ("eu-west-1", "etl-destination-data")


def test_a_ceiling_on_reads_is_a_variable_only_if_it_is_set() -> None:
    function = {"FunctionName": "etl-extract", "MemorySize": 512}
    ceiling = {"Environment": {"Variables": SETTINGS | {"SOURCE_READ_UNITS_PER_SECOND": "200"}}}

    found = read_deployed(Deployment.find(aws(**{"lambda.GetFunctionConfiguration": function | ceiling}).session))

    assert found.capacity.source_read_units_per_second == 200
    assert read_deployed(Deployment.find(aws().session)).capacity.source_read_units_per_second == 0


@pytest.mark.parametrize("form", ["none", "epoch_s"])
def test_the_format_of_the_change_time_is_extract_s(form: str) -> None:
    variables = {"Variables": SETTINGS | {"SOURCE_CURSOR_FORMAT": form}}
    function = {"FunctionName": "etl-extract", "MemorySize": 512, "Environment": variables}
    deployed = read_deployed(Deployment.find(aws(**{"lambda.GetFunctionConfiguration": function}).session))

    # The three runs found one item in each of 24 hours.
    costs = predicted_cost(night(22), [night(22), night(21)], replace(DEPLOYED, schema=deployed.schema), PRICES)
    usual = predicted_cost(night(22), [night(22), night(21)], DEPLOYED, PRICES)
    assert costs
    assert usual
    assert (costs.total > usual.total) is (form == "none")


def test_a_function_s_reservation_limits_its_workers() -> None:
    def reservation(FunctionName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"ReservedConcurrentExecutions": 7} if FunctionName == "etl-transform" else {}

    found = read_deployed(Deployment.find(aws(**{"lambda.GetFunctionConcurrency": reservation}).session))

    assert found.capacity.functions_at_once == 7
    assert found.room
    assert found.room.why == "7 executions at once reserved for etl-transform"


@pytest.mark.parametrize("operation", ["GetAccountSettings", "GetFunctionConcurrency"])
def test_room_that_may_not_be_seen_is_assumed(fake: FakeAws, operation: str) -> None:
    fake.answers[f"lambda.{operation}"] = RefusalError("AccessDeniedException")

    done = CliRunner().invoke(app, ["plan"])

    assert done.exit_code == 0
    told = " ".join(done.stdout.split())
    assert "without lambda:GetAccountSettings and lambda:GetFunctionConcurrency: 1,000 at once" in told
    assert json.loads(CliRunner().invoke(app, ["plan", "--json"]).stdout)["workers_at_once"] is None


def test_a_plan_says_that_workers_take_turns() -> None:
    room = Room(quota=10, unreserved=10, reserved={})
    usual = made()
    found = made(room=room, capacity=CapacitySettings(functions_at_once=10))

    told = " ".join(printed(found).split())
    assert "Lambda runs 10 at once, and the others wait: the account's quota is 10 concurrent executions" in told
    assert found.outlook.found.seconds > usual.outlook.found.seconds
    assert "the others wait" not in printed(usual)
    assert plan_document(found, ETL)["workers_at_once"] == 10


def test_a_run_whose_function_may_not_run_does_not_fit() -> None:
    found = made(room=Room(quota=1_000, unreserved=1_000, reserved={"etl-load": 0}))

    assert "etl-load can't run: its reserved concurrency is 0" in " ".join(printed(found).split())
    assert plan_document(found, ETL)["fits"] is False


def test_what_the_tables_can_take_is_what_dynamodb_tells() -> None:
    def described(TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        units = 15_000 if TableName == "etl-source-data" else 9_000
        warm = {"WarmThroughput": {"ReadUnitsPerSecond": units, "WriteUnitsPerSecond": units}}
        return {"Table": specified("source" in TableName) | warm}

    found = read_deployed(Deployment.find(aws(**{"dynamodb.DescribeTable": described}).session))

    assert (found.capacity.read_units_per_second, found.capacity.write_units_per_second) == (15_000, 9_000)


@pytest.mark.parametrize("value", ["", "many", "-1"])
def test_a_function_without_its_settings_is_to_be_deployed_again(value: str) -> None:
    function = {"FunctionName": "etl-extract", "MemorySize": 512, "Environment": {"Variables": {"CONCURRENCY": value}}}

    with pytest.raises(UserError, match="etl-extract has") as caught:
        read_deployed(Deployment.find(aws(**{"lambda.GetFunctionConfiguration": function}).session))
    assert "cdk deploy" in caught.value.remedy


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    made_up = aws()
    monkeypatch.setattr("boto3.Session", lambda **_: made_up.session)
    return made_up


def test_plan_reads_only_descriptions_and_the_ledger(fake: FakeAws) -> None:
    done = CliRunner().invoke(app, ["plan", "--json"])

    assert done.exit_code == 0
    assert json.loads(done.stdout)["fits"]
    assert sorted(set(fake.calls)) == [
        "cloudformation.DescribeStacks",
        "dynamodb.DescribeTable",
        "dynamodb.GetItem",
        "dynamodb.Query",
        "lambda.GetAccountSettings",
        "lambda.GetFunctionConcurrency",
        "lambda.GetFunctionConfiguration",
        "sfn.DescribeStateMachine",
    ]


def test_the_command_exits_with_1_where_the_run_does_not_fit(fake: FakeAws) -> None:
    fake.answers["sfn.DescribeStateMachine"] = {"definition": json.dumps({"TimeoutSeconds": 3}), "status": "ACTIVE"}

    done = CliRunner().invoke(app, ["plan"])

    assert done.exit_code == 1
    assert "It does not fit:" in done.stdout


@pytest.mark.usefixtures("fake")
def test_the_command_takes_a_window_and_prices(tmp_path: Any) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("[regions.eu-west-1]\nmillion_write_units = 1000\n")
    words = ["plan", "--start", "2026-11-01", "--end", "2026-11-02", "--json"]

    usual, dear = (CliRunner().invoke(app, [*words, *more]) for more in ([], ["--prices", str(mine)]))

    first, second = (json.loads(done.stdout) for done in (usual, dear))
    assert first["window"]["start"] == "2026-11-01T00:00:00Z"
    assert first["cost"]["services"]["DynamoDB writes"] == "0.0141"
    assert second["cost"]["services"]["DynamoDB writes"] == "20.00"
    assert CliRunner().invoke(app, ["plan", "--start", "2026-11-01"]).exit_code == 2


ORDERS = Schema(
    source=(KeyAttribute("pk"), KeyAttribute("sk", "N")),
    time=ChangeTime(path=("updatedAt",), format="epoch_ms", missing="include"),
)


def test_a_plan_shows_tables_of_other_keys() -> None:
    found = made(schema=ORDERS)

    told = " ".join(printed(found).split())
    assert "key pk (S), sk (N), updatedAt as epoch_ms, include items without it" in told
    assert "into etl-destination-data, key id (S), timestamp (S)" in told
    tables = plan_document(found, ETL)["tables"]
    assert tables["source"]["key"] == [{"name": "pk", "type": "S"}, {"name": "sk", "type": "N"}]
    assert tables["change_time"]["format"] == "epoch_ms"
    assert "key id (S)" not in printed(made())


def test_a_run_over_a_table_without_a_change_time_takes_all_of_it() -> None:
    found = made(runs=(night(22),), schema=Schema(time=ChangeTime(path=("timestamp",), format="none")))

    assert round(found.expected.workload.read) == SOURCE.items
    assert "it has no change time" in " ".join(printed(found).split())
