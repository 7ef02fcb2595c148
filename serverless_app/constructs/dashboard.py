"""The dashboard ``etl-pipeline-REGION``: the last night, the trend, the workers, and AWS's own metrics."""

from collections.abc import Sequence
from datetime import timedelta

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from etl.model.names import Names
from etl.model.stages import STATES
from etl.model.statuses import RUN_LIMIT
from serverless_app.constructs.pipeline_metrics import NEAR_LIMIT, WATERMARK_AGE, pipeline_metric
from serverless_app.constructs.platform_widgets import bucket_graphs, function_graphs, table_graphs, workflow_graph
from serverless_app.constructs.stage_function import STOPPED_BY_LAMBDA
from serverless_app.constructs.storage import Storage
from serverless_app.constructs.watermark_watch import PERIOD as WATCH_PERIOD
from serverless_app.constructs.widgets import FIVE_MINUTES, NIGHT, graph, limit
from serverless_app.settings import PipelineSettings

_HEADLINE = """# {title}
A red alarm needs action: its description says what to do. Items are sums of a day in UTC.
`etl runs` lists the runs. `etl gaps` lists periods that no run has covered. docs/monitoring.md explains each figure.
"""
# A function that Lambda stops can't write a line of its own.
_ERRORS = [
    " or ".join(["filter level = 'ERROR'", *(f"@message like '{term}'" for term in STOPPED_BY_LAMBDA)]),
    "fields @timestamp, @log, action, run, coalesce(error, @message) as failure, execution",
    "sort @timestamp desc",
    "limit 20",
]


class Dashboard(Construct):
    """The dashboard.

    Args:
        alarms: the alarms, which it shows first.
        state_machine: the pipeline's state machine.
        functions: the stages' functions.
        storage: the bucket and the tables.
        settings: the pipeline's settings.
    """

    def __init__(  # noqa: PLR0913 - each has its name at the call
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarms: Sequence[cloudwatch.IAlarm],
        state_machine: sfn.IStateMachine,
        functions: Sequence[lambda_.Function],
        storage: Storage,
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        board = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=settings.names.dashboard(Stack.of(self).region),
            default_interval=Duration.days(14),
        )
        board.add_widgets(
            cloudwatch.TextWidget(
                markdown=settings.names.typed(_HEADLINE.format(title=settings.names.title)), width=24, height=3
            )
        )
        board.add_widgets(
            cloudwatch.AlarmStatusWidget(title="Alarms: red needs action", alarms=alarms, width=10, height=6),
            _last_night(state_machine, settings.names),
        )
        board.add_widgets(*_trend(state_machine, settings))
        board.add_widgets(*_workers(settings))
        board.add_widgets(_errors(functions))
        board.add_widgets(workflow_graph(state_machine), *function_graphs(functions))
        board.add_widgets(*table_graphs(storage.measured_tables), *bucket_graphs(storage.bucket))


def _last_night(state_machine: sfn.IStateMachine, names: Names) -> cloudwatch.IWidget:
    """Show the figures of the last day that has any."""
    items = {"ItemsRead": "Items read", "ItemsLoaded": "Items loaded", "ItemsRejected": "Items rejected"}
    return cloudwatch.SingleValueWidget(
        title="The last night",
        metrics=[
            state_machine.metric_succeeded(statistic="Sum", period=NIGHT, label="Runs that succeeded"),
            state_machine.metric_failed(statistic="Sum", period=NIGHT, label="Runs that failed"),
            *(pipeline_metric(names, name, "Sum", NIGHT, label=label) for name, label in items.items()),
            _minutes(state_machine, "Longest run, minutes"),
            _age(names, "Age of the watermark, hours"),
        ],
        width=14,
        height=6,
    )


def _trend(state_machine: sfn.IStateMachine, settings: PipelineSettings) -> list[cloudwatch.IWidget]:
    """Show one point for each day."""
    moved = ("ItemsRead", "ItemsTransformed", "ItemsLoaded", "ItemsSuperseded", "ItemsDropped")
    return [
        graph("How much: items a day", [pipeline_metric(settings.names, name, "Sum", NIGHT) for name in moved]),
        graph(
            "Rejected items a day, and items without a time; largest share, %",
            [pipeline_metric(settings.names, name, "Sum", NIGHT) for name in ("ItemsRejected", "ItemsUntimed")],
            [pipeline_metric(settings.names, "RejectedShare", "Maximum", NIGHT)],
            limits=[
                limit(settings.reject_alarm_percent, "alarm", cloudwatch.Color.ORANGE),
                limit(settings.reject_threshold_percent, "nothing is loaded"),
            ],
        ),
        graph(
            "How long: longest run a day, minutes",
            [_minutes(state_machine, "Minutes")],
            limits=[limit(RUN_LIMIT // timedelta(minutes=1), "timed out")],
        ),
        graph(
            "Scanned items a day; bytes staged",
            [pipeline_metric(settings.names, "ItemsScanned", "Sum", NIGHT)],
            [pipeline_metric(settings.names, "BytesStaged", "Sum", NIGHT)],
        ),
    ]


def _workers(settings: PipelineSettings) -> list[cloudwatch.IWidget]:
    """Show the workers' time, memory and retries."""

    def by_stage(name: str, statistic: str, period: Duration) -> list[cloudwatch.IMetric]:
        return [pipeline_metric(settings.names, name, statistic, period, stage=stage, label=stage) for stage in STATES]

    return [
        graph(
            "Age of the watermark, hours", [_age(settings.names, "Hours")], limits=[limit(settings.late_hours, "late")]
        ),
        graph("Workers' time a day, milliseconds", by_stage("Duration", "Sum", NIGHT)),
        graph(
            "Most memory, MB",
            by_stage("MemoryUsed", "Maximum", FIVE_MINUTES),
            limits=[limit(settings.memory_mb, "limit")],
        ),
        graph(
            "Transient trouble",
            [
                pipeline_metric(settings.names, name, "Sum", FIVE_MINUTES)
                for name in ("Throttles", "Retries", NEAR_LIMIT)
            ],
        ),
    ]


def _errors(functions: Sequence[lambda_.Function]) -> cloudwatch.IWidget:
    """Show the last failed invocations. A retry may have succeeded."""
    return cloudwatch.LogQueryWidget(
        title="Invocations that failed",
        log_group_names=[function.log_group.log_group_name for function in functions],
        query_lines=_ERRORS,
        width=24,
        height=5,
    )


def _minutes(state_machine: sfn.IStateMachine, label: str) -> cloudwatch.IMetric:
    time = state_machine.metric_time(statistic="Maximum", period=NIGHT)
    return cloudwatch.MathExpression(expression="time / 60000", using_metrics={"time": time}, label=label, period=NIGHT)


def _age(names: Names, label: str) -> cloudwatch.IMetric:
    age = pipeline_metric(names, WATERMARK_AGE, "Minimum", WATCH_PERIOD)
    return cloudwatch.MathExpression(
        expression="age / 3600", using_metrics={"age": age}, label=label, period=WATCH_PERIOD
    )
