"""Graphs of AWS's own metrics of the services that the pipeline uses."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn

from etl.model.statuses import INVOCATION_LIMIT
from serverless_app.constructs.widgets import FIVE_MINUTES, NIGHT, graph, limit

# The id of the bucket's request metrics. S3 measures them only for a bucket that asks for them.
REQUEST_METRICS = "EntireBucket"

_SUMS: Any = {"statistic": "Sum", "period": FIVE_MINUTES}
_MOST: Any = {"statistic": "Maximum", "period": FIVE_MINUTES}


def workflow_graph(state_machine: sfn.IStateMachine) -> cloudwatch.IWidget:
    """Show how executions began and ended."""
    return graph(
        "Step Functions: executions",
        [
            state_machine.metric_started(**_SUMS),
            state_machine.metric_succeeded(**_SUMS),
            state_machine.metric_failed(**_SUMS),
            state_machine.metric_timed_out(**_SUMS),
            state_machine.metric_aborted(**_SUMS),
            state_machine.metric_throttled(**_SUMS),
        ],
    )


def function_graphs(functions: Sequence[lambda_.IFunction]) -> list[cloudwatch.IWidget]:
    """Show how often functions ran, for how long, and how many at once."""
    named = [(function, function.function_name) for function in functions]
    return [
        graph(
            "Lambda: invocations; errors",
            [function.metric_invocations(**_SUMS, label=name) for function, name in named],
            [function.metric_errors(**_SUMS, label=f"{name}, errors") for function, name in named],
        ),
        graph(
            "Lambda: longest invocation, milliseconds",
            [function.metric_duration(**_MOST, label=name) for function, name in named],
            limits=[limit(INVOCATION_LIMIT // timedelta(milliseconds=1), "stopped")],
        ),
        graph(
            "Lambda: at once; throttled",
            [function.metric("ConcurrentExecutions", **_MOST, label=name) for function, name in named],
            [function.metric_throttles(**_SUMS, label=f"{name}, throttled") for function, name in named],
        ),
    ]


def table_graphs(tables: Mapping[str, dynamodb.ITable]) -> list[cloudwatch.IWidget]:
    """Show the capacity that tables consumed, and the requests that they throttled.

    Args:
        tables: the tables, by their names in the graphs.
    """
    each = [(table, name, kind) for name, table in tables.items() for kind in ("Read", "Write")]
    return [
        graph(
            "DynamoDB: units consumed",
            [
                table.metric(f"Consumed{kind}CapacityUnits", **_SUMS, label=f"{name}, {kind.lower()}")
                for table, name, kind in each
            ],
        ),
        graph(
            "DynamoDB: throttled",
            [
                table.metric(f"{kind}ThrottleEvents", **_SUMS, label=f"{name}, {kind.lower()}")
                for table, name, kind in each
            ],
        ),
    ]


def bucket_graphs(bucket: s3.IBucket) -> list[cloudwatch.IWidget]:
    """Show the requests to a bucket, and its size."""
    requests, errors = ("GetRequests", "PutRequests"), ("4xxErrors", "5xxErrors")
    return [
        graph(
            "S3: requests; errors",
            [_of(bucket, name, "Sum", FIVE_MINUTES, FilterId=REQUEST_METRICS) for name in requests],
            [_of(bucket, name, "Sum", FIVE_MINUTES, FilterId=REQUEST_METRICS) for name in errors],
        ),
        graph("S3: bytes staged", [_of(bucket, "BucketSizeBytes", "Average", NIGHT, StorageType="StandardStorage")]),
    ]


def _of(bucket: s3.IBucket, name: str, statistic: str, period: Duration, **dimensions: str) -> cloudwatch.IMetric:
    return cloudwatch.Metric(
        namespace="AWS/S3",
        metric_name=name,
        statistic=statistic,
        period=period,
        dimensions_map={"BucketName": bucket.bucket_name, **dimensions},
    )
