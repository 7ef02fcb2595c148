"""Alarms: each says what has happened and what to do. All go to one topic."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from serverless_app.constructs.alarm_topic import AlarmTopic
from serverless_app.constructs.pipeline_metrics import NAMESPACE, NEAR_LIMIT, WATERMARK_AGE, pipeline_metric
from serverless_app.constructs.stage_function import STOPPED_BY_LAMBDA, StageFunction
from serverless_app.constructs.watermark_watch import PERIOD as WATCH_PERIOD
from serverless_app.settings import PipelineSettings

_PREFIX = "etl-pipeline-"
_PERIOD = Duration.minutes(5)
# Once is enough to tell a person, or only what lasts: DynamoDB and Step Functions throttle bursts, which pass by
# themselves.
_ONCE, _LASTING = 1, 2

_HEALS = (
    "The destination table has none or a part of the window's items until a run of it succeeds: the next scheduled "
    "run covers the window; a backfill has to be started again."
)
_MORE = "docs/operations.md says more."


class Monitoring(Construct):
    """The alarms, and the topic ``etl-pipeline-alarms`` to which they go.

    Attributes:
        alarms: all of them.

    Args:
        state_machine: the pipeline's.
        recorder: the state machine that records ends which the pipeline's can't.
        dead_letters: the queue whose messages are starts that were lost.
        source: table that is read.
        destination: table that is written.
        stages: the functions.
        settings: the pipeline's settings.
    """

    def __init__(  # noqa: PLR0913 - each has its name at the call
        self,
        scope: Construct,
        construct_id: str,
        *,
        state_machine: sfn.IStateMachine,
        recorder: sfn.IStateMachine,
        dead_letters: sqs.IQueue,
        source: dynamodb.ITable,
        destination: dynamodb.ITable,
        stages: Sequence[StageFunction],
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        self.alarms: list[cloudwatch.Alarm] = []
        topic = AlarmTopic(self, "Alarms", alarms=f"{_PREFIX}*", email=settings.alarm_email).topic
        self._action = actions.SnsAction(topic)
        self._watch_executions(state_machine, recorder, dead_letters)
        self._watch_data(settings)
        self._watch_limits(source, destination, stages, settings)

    def _watch_executions(
        self, state_machine: sfn.IStateMachine, recorder: sfn.IStateMachine, dead_letters: sqs.IQueue
    ) -> None:
        """Make the alarms on runs that ended badly, or never began."""
        sums: Any = {"statistic": "Sum", "period": _PERIOD}
        self._alarm(
            "ExecutionFailed",
            state_machine.metric_failed(**sums),
            f"A run failed. Its error and cause, in `etl runs` and in Step Functions, say what to do. {_HEALS}",
        )
        self._alarm(
            "ExecutionTimedOut",
            state_machine.metric_timed_out(**sums),
            "A run was not done after its 30 minutes. docs/scaling.md says what to raise, and in which order: "
            f"the next run has this one's window to cover as well. {_HEALS}",
        )
        self._alarm(
            "ExecutionThrottled",
            state_machine.metric_throttled(**sums),
            "Step Functions holds the runs' transitions back: the account has used up its quota, and runs take longer. "
            "See what else runs in the account, lower `concurrency`, or ask for more under Service Quotas.",
            evaluation_periods=_LASTING,
        )
        self._alarm(
            "StartLost",
            dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum", period=_PERIOD),
            f"EventBridge could not start etl-pipeline, or its recorder. The queue {dead_letters.queue_name} holds "
            "the event, and why. Remove the reason; the next scheduled run covers the window. Then purge the queue.",
        )
        self._alarm(
            "RecorderFailed",
            recorder.metric_failed(**sums),
            "A run was stopped, timed out or failed, and etl-pipeline-recorder could not write that into the ledger, "
            "or tell of it; no run is hurt. Its execution in Step Functions says why: start it again with its input.",
        )

    def _watch_data(self, settings: PipelineSettings) -> None:
        """Make the alarms on what was loaded."""
        hours = settings.late_hours
        self._alarm(
            "DataLate",
            # Two measurements lie in the period in which a run ends.
            pipeline_metric(WATERMARK_AGE, "Minimum", WATCH_PERIOD),
            f"What arrived more than {hours} hours ago is not loaded, or nothing measures that any more. See whether "
            "runs fail (`etl runs`), whether the rule etl-daily-schedule is enabled, and what lies in the queue "
            "etl-pipeline-dead-letters. `etl gaps` gives the command that fills the gap. If all of it is fine, look at "
            f"the rule and the state machine etl-pipeline-watch. {_MORE}",
            threshold=hours * 3600,
            evaluation_periods=_LASTING,
            # Nothing is measured when the watch is broken: then nobody knows.
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            # Who has disabled the schedule by a setting knows that nothing is loaded.
            actions_enabled=settings.schedule_enabled,
        ).add_ok_action(self._action)
        self._alarm(
            "RejectedShare",
            pipeline_metric("RejectedShare", "Maximum", _PERIOD),
            f"More than {settings.reject_alarm_percent:g} % of a run's items were rejected; above "
            f"{settings.reject_threshold_percent:g} % it loads nothing. They lie below quarantine/ of the staging "
            "bucket, each with its reason. Correct the data, or the contract in pipelines/etl/transformation.py. "
            f"{_MORE}",
            threshold=settings.reject_alarm_percent,
        )
        self._alarm(
            "ItemsUntimed",
            pipeline_metric("ItemsUntimed", "Sum", _PERIOD),
            "A run read items whose timestamp is no time, and put them into quarantine. No window loads them, and no "
            "run fails by them; it can wait for the morning. `etl quarantine list` shows the run and its items. "
            "Correct their timestamps in the source table, then `etl quarantine replay RUN` of the last run before "
            f"that loads them. Until then every run reads them again, and this alarm rings again. {_MORE}",
        )

    def _watch_limits(
        self,
        source: dynamodb.ITable,
        destination: dynamodb.ITable,
        stages: Sequence[StageFunction],
        settings: PipelineSettings,
    ) -> None:
        """Make the alarms on what runs short."""
        for construct_id, table, metric, advice in (
            (
                "SourceThrottled",
                source,
                "ReadThrottleEvents",
                "Lower `concurrency`, run at another time, or see who else reads it.",
            ),
            (
                "DestinationThrottled",
                destination,
                "WriteThrottleEvents",
                "Load waits by itself. To spare the table's other users, set `max_write_units_per_second`; to be "
                "faster, warm the table's throughput up.",
            ),
        ):
            self._alarm(
                construct_id,
                table.metric(metric, statistic="Sum", period=_PERIOD),
                f"DynamoDB has throttled {table.table_name} for ten minutes. {advice} {_MORE}",
                evaluation_periods=_LASTING,
            )
        for stage in stages:
            # A function that Lambda has stopped tells no metric of its own any more.
            logs.MetricFilter(
                self,
                f"{stage.node.id}Stopped",
                log_group=stage.function.log_group,
                filter_pattern=logs.FilterPattern.any_term(*STOPPED_BY_LAMBDA),
                metric_namespace=NAMESPACE,
                metric_name=NEAR_LIMIT,
                metric_value="1",
                unit=cloudwatch.Unit.COUNT,
            )
        self._alarm(
            "FunctionLimit",
            pipeline_metric(NEAR_LIMIT, "Sum", _PERIOD),
            f"A function came near the end of its memory ({settings.memory_mb} MB) or its time (5 minutes), or Lambda "
            "stopped it there. The dashboard shows which stage. Most often transform() keeps things or "
            "waits for things; `memory_mb` gives a function more memory, a smaller `segment_bytes` each worker less to "
            f"do. {_MORE}",
        )

    def _alarm(
        self, construct_id: str, metric: cloudwatch.IMetric, description: str, **changed: Any
    ) -> cloudwatch.Alarm:
        """Make the alarm that a metric is above a threshold, 0 if nothing is said, named after the construct."""
        usual = {
            "threshold": 0,
            "evaluation_periods": _ONCE,
            "comparison_operator": cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            "treat_missing_data": cloudwatch.TreatMissingData.NOT_BREACHING,
        }
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=_PREFIX + _hyphened(construct_id),
            alarm_description=description,
            metric=metric,
            **{**usual, **changed},
        )
        alarm.add_alarm_action(self._action)
        self.alarms.append(alarm)
        return alarm


def _hyphened(construct_id: str) -> str:
    """A construct's id as a part of a name: ``DataLate`` becomes ``data-late``."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in construct_id).lstrip("-")
