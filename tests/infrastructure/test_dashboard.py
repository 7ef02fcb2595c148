"""The widgets of the dashboard, and their places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from etl.invocation.metrics import BY_STAGE, UNITS
from etl.model.names import ETL
from etl.model.stages import STATES
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized
from tests.infrastructure.test_monitoring import ALARMS, LAST_LINES, MACHINE
from tests.support import ROOT

# The dimensions of AWS's metrics. A graph of a metric with other dimensions stays empty.
PLATFORM = {
    "AWS/States": MACHINE.keys(),
    "AWS/Lambda": {"FunctionName"},
    "AWS/DynamoDB": {"TableName"},
}


@pytest.fixture(scope="module")
def widgets(stack: Synthesized) -> list[dict[str, Any]]:
    board = stack.named("AWS::CloudWatch::Dashboard", f"etl-pipeline-{REGION}")
    found: list[dict[str, Any]] = json.loads(board["DashboardBody"])["widgets"]
    return found


def metrics_of(widgets: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of all metrics of widgets, those within expressions included."""
    for widget in widgets:
        for row in widget["properties"].get("metrics", []):
            *names, options = row if isinstance(row[-1], dict) else [*row, {}]
            if not options.get("expression"):
                namespace, name, *dimensions = names
                yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))


def titled(widgets: list[dict[str, Any]], words: str) -> dict[str, Any]:
    [found] = [each for each in widgets if words in each["properties"].get("title", "")]
    return found


def test_alarms_and_the_last_night_come_first(widgets: list[dict[str, Any]]) -> None:
    text, alarms, night = widgets[:3]

    assert text["type"] == "text"
    names = [arn.rpartition(":")[2] for arn in alarms["properties"]["alarms"]]
    assert sorted(names) == sorted(f"etl-pipeline-{name}" for name in ALARMS)
    assert {name for _, name, _ in metrics_of([night])} == {
        *("ExecutionsSucceeded", "ExecutionsFailed", "ExecutionTime"),
        *("ItemsRead", "ItemsLoaded", "ItemsRejected", "WatermarkAge"),
    }
    assert night["properties"]["view"] == "singleValue"
    assert alarms["y"] == night["y"] < 10


@pytest.mark.parametrize("words", ["How much", "Rejected items a day", "How long", "Scanned items"])
def test_the_trend_has_a_value_for_each_day(widgets: list[dict[str, Any]], words: str) -> None:
    graph = titled(widgets, words)

    assert {row[-1].get("period", 300) for row in graph["properties"]["metrics"]} == {86_400}
    # A view of bars would show one bar for each metric, and no days.
    assert graph["properties"]["view"] == "timeSeries"
    assert graph["y"] < 20


def test_every_metric_is_shown_with_its_dimensions(widgets: list[dict[str, Any]]) -> None:
    own = [(name, dimensions) for namespace, name, dimensions in metrics_of(widgets) if namespace == ETL.namespace]

    assert {name for name, _ in own} == {*UNITS, "WatermarkAge"}
    for name, dimensions in own:
        assert dimensions.keys() == ({"Stage"} if name in BY_STAGE else set()), name
    for name in BY_STAGE:
        assert [dimensions["Stage"] for each, dimensions in own if each == name] == [*STATES]


def test_a_dashboard_of_so_many_metrics_is_paid_for(widgets: list[dict[str, Any]]) -> None:
    # Source: CloudWatch pricing, free tier: three dashboards of up to 50 metrics each.
    assert len(list(metrics_of(widgets))) > 50
    for page in ("monitoring", "costs"):
        assert "50 metrics" in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")


def test_metrics_of_the_platform_come_last(widgets: list[dict[str, Any]]) -> None:
    below = [(namespace, name, dimensions) for namespace, name, dimensions in metrics_of(widgets[-8:])]

    assert {namespace for namespace, _, _ in below} == {*PLATFORM, "AWS/S3"}
    for namespace, keys in PLATFORM.items():
        assert all(dimensions.keys() == keys for each, _, dimensions in below if each == namespace)
    assert {name for namespace, name, _ in below if namespace == "AWS/States"} == {
        *("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed"),
        *("ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled"),
    }
    assert {name for namespace, name, _ in below if namespace == "AWS/Lambda"} == {
        *("Invocations", "Errors", "Duration", "ConcurrentExecutions", "Throttles"),
    }
    assert {dimensions["TableName"] for namespace, _, dimensions in below if namespace == "AWS/DynamoDB"} == {
        *("etl-source-data", "etl-destination-data", "etl-run-ledger"),
    }


def test_metrics_of_s3_are_those_of_the_staging_bucket(widgets: list[dict[str, Any]], stack: Synthesized) -> None:
    bucket = stack.named("AWS::S3::Bucket", f"etl-staging-{ACCOUNT}-{REGION}")
    [configuration] = bucket["MetricsConfigurations"]
    found = {name: dimensions for namespace, name, dimensions in metrics_of(widgets) if namespace == "AWS/S3"}

    stored = found.pop("BucketSizeBytes")
    assert stored == {"BucketName": bucket["BucketName"], "StorageType": "StandardStorage"}
    assert found.keys() == {"GetRequests", "PutRequests", "4xxErrors", "5xxErrors"}
    for dimensions in found.values():
        assert dimensions == {"BucketName": bucket["BucketName"], "FilterId": configuration["Id"]}


def test_failed_invocations_come_from_the_functions_logs(widgets: list[dict[str, Any]]) -> None:
    query = titled(widgets, "Invocations that failed")["properties"]["query"]

    for stage in ("extract", "transform", "load"):
        assert f"SOURCE '/aws/lambda/etl-{stage}'" in query
    assert "filter level = 'ERROR'" in query
    terms = re.findall(r" or @message like '([^']+)'", query)
    for line, stopped in LAST_LINES.items():
        assert any(term in line for term in terms) is stopped, line


def test_lines_across_are_those_of_the_settings(tuned_stack: Synthesized) -> None:
    board = tuned_stack.named("AWS::CloudWatch::Dashboard", f"etl-pipeline-{REGION}")
    tuned = json.loads(board["DashboardBody"])["widgets"]

    def lines(words: str) -> list[float]:
        return [each["value"] for each in titled(tuned, words)["properties"]["annotations"]["horizontal"]]

    assert lines("Rejected items a day") == [0.5, 2.5]
    assert lines("Age of the watermark") == [9]
    assert lines("Most memory") == [1024]


def test_widgets_fill_rows_of_24_columns_and_do_not_overlap(widgets: list[dict[str, Any]]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for widget in widgets:
        assert widget["x"] + widget["width"] <= 24
        for column in range(widget["x"], widget["x"] + widget["width"]):
            for row in range(widget["y"], widget["y"] + widget["height"]):
                assert (column, row) not in taken
                taken[column, row] = widget["type"]
    rows = {row for _, row in taken}
    assert len(taken) == 24 * len(rows), "a row is not full"
