"""The alarms. Each says what happened and what to do, and all go to one topic."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from etl.model.statuses import RUN_LIMIT
from serverless_app.constructs.alarm_topic import AlarmTopic
from serverless_app.constructs.pipeline_metrics import NEAR_LIMIT, WATERMARK_AGE, pipeline_metric
from serverless_app.constructs.stage_function import STOPPED_BY_LAMBDA, StageFunction
from serverless_app.constructs.storage import Storage
from serverless_app.constructs.watermark_watch import PERIOD as WATCH_PERIOD
from serverless_app.settings import PipelineSettings

_PERIOD = Duration.minutes(5)
# Periods above the threshold before an alarm rings. DynamoDB and Step Functions also throttle short bursts, which pass.
_ONCE, _LASTING = 1, 2

_HEALS = (
    "The destination table lacks items of the run's window until a run of that window succeeds. The next scheduled run "
    "covers the window. Start a backfill again."
)
_MORE = "See docs/operations.md."


class Monitoring(Construct):
    """The alarms, and the topic ``etl-pipeline-alarms`` to which they go.

    Attributes:
        alarms: all alarms.

    Args:
        state_machine: the pipeline's state machine.
        recorder: the state machine that records the ends that the pipeline's can't record.
        dead_letters: the queue of events that could not start an execution.
        storage: the bucket and the tables.
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
        storage: Storage,
        stages: Sequence[StageFunction],
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names = settings.names
        self.alarms: list[cloudwatch.Alarm] = []
        topic = AlarmTopic(self, "Alarms", names=self._names, email=settings.alarm_email).topic
        self._action = actions.SnsAction(topic)
        self._watch_executions(state_machine, recorder, dead_letters)
        self._watch_data(settings)
        self._watch_throttling(storage)
        self._watch_limits(stages, settings)

    def _watch_executions(
        self, state_machine: sfn.IStateMachine, recorder: sfn.IStateMachine, dead_letters: sqs.IQueue
    ) -> None:
        """Make the alarms on runs that failed, or never started."""
        sums: Any = {"statistic": "Sum", "period": _PERIOD}
        self._alarm(
            "ExecutionFailed",
            state_machine.metric_failed(**sums),
            f"A run failed. `etl runs` lists it, and `etl show` shows its error and what to do. {_HEALS}",
        )
        self._alarm(
            "ExecutionTimedOut",
            state_machine.metric_timed_out(**sums),
            f"A run timed out after {RUN_LIMIT // timedelta(minutes=1)} minutes. `etl plan` names the settings that "
            "make its window fit, and docs/scaling.md explains them. Deploy them before the next run, which must cover "
            f"this window as well. {_HEALS}",
        )
        self._alarm(
            "ExecutionThrottled",
            state_machine.metric_throttled(**sums),
            "Step Functions throttles the runs: the account has used up its quota of state transitions, and runs take "
            "longer. Stop other state machines of the account, lower `concurrency`, or raise the quota in Service "
            "Quotas.",
            evaluation_periods=_LASTING,
        )
        self._alarm(
            "StartLost",
            dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum", period=_PERIOD),
            f"EventBridge could not start {self._names.state_machine} or its recorder. The queue "
            f"{dead_letters.queue_name} has the event and the reason. Remove the reason, then purge the queue. The "
            "next scheduled run covers the window.",
        )
        self._alarm(
            "RecorderFailed",
            recorder.metric_failed(**sums),
            f"{self._names.recorder} could not record or announce that a run was stopped, timed out or failed. No data "
            "is affected. The recorder's execution in Step Functions has the error: start it again with its input.",
        )

    def _watch_data(self, settings: PipelineSettings) -> None:
        """Make the alarms on the loaded data."""
        hours = settings.late_hours
        self._alarm(
            "DataLate",
            # The period in which a run ends has two measurements.
            pipeline_metric(self._names, WATERMARK_AGE, "Minimum", WATCH_PERIOD),
            f"No data loaded for {hours} hours, or the watermark is no longer measured. `etl doctor` checks the rule "
            f"{self._names.schedule_rule} and the queue {self._names.dead_letters}. `etl runs` shows whether runs "
            "fail, and `etl gaps` gives the command that fills the gap. If all of these are fine, check the rule and "
            f"the state machine {self._names.watch}. {_MORE}",
            threshold=hours * 3600,
            evaluation_periods=_LASTING,
            # A broken watch measures nothing, and then late data would stay unnoticed.
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
            # You disabled the schedule by a setting, so you know that nothing is loaded.
            actions_enabled=settings.schedule_enabled,
        ).add_ok_action(self._action)
        self._alarm(
            "RejectedShare",
            pipeline_metric(self._names, "RejectedShare", "Maximum", _PERIOD),
            f"A run rejected more than {settings.reject_alarm_percent:g} % of its items. Above "
            f"{settings.reject_threshold_percent:g} % a run loads nothing. `etl quarantine show` lists the rejected "
            f"items with their reasons. Correct the data, or the contract in {settings.folder}/transformation.py. "
            f"{_MORE}",
            threshold=settings.reject_alarm_percent,
        )
        self._alarm(
            "ItemsUntimed",
            pipeline_metric(self._names, "ItemsUntimed", "Sum", _PERIOD),
            "A run read items whose timestamp is not a time, and put them into quarantine. This can wait for the "
            "morning: no run fails because of them. `etl quarantine list` shows the run and its items. Correct their "
            "timestamps in the source table. Then `etl quarantine replay RUN`, with the last run before the "
            f"correction, loads them. Until then every run reads them again, and this alarm rings again. {_MORE}",
        )

    def _watch_throttling(self, storage: Storage) -> None:
        """Make the alarms on throttled tables; a table in another account has its metrics there."""
        for construct_id, table, metric, advice in (
            (
                "SourceThrottled",
                storage.source,
                "ReadThrottleEvents",
                "Set `source_read_units_per_second`, run at another time, or find out which other program reads it.",
            ),
            (
                "DestinationThrottled",
                storage.destination,
                "WriteThrottleEvents",
                "Load waits and continues by itself. To leave capacity to other users of the table, set "
                "`max_write_units_per_second`. To load faster, raise the table's warm throughput.",
            ),
        ):
            if not table.is_measured:
                continue
            self._alarm(
                construct_id,
                table.table.metric(metric, statistic="Sum", period=_PERIOD),
                f"DynamoDB has throttled {table.address} for ten minutes. {advice} {_MORE}",
                evaluation_periods=_LASTING,
            )

    def _watch_limits(self, stages: Sequence[StageFunction], settings: PipelineSettings) -> None:
        """Make the alarm on functions that come near their limits."""
        for stage in stages:
            # A function that Lambda stops can't report a metric.
            logs.MetricFilter(
                self,
                f"{stage.node.id}Stopped",
                log_group=stage.function.log_group,
                filter_pattern=logs.FilterPattern.any_term(*STOPPED_BY_LAMBDA),
                metric_namespace=self._names.namespace,
                metric_name=NEAR_LIMIT,
                metric_value="1",
                unit=cloudwatch.Unit.COUNT,
            )
        self._alarm(
            "FunctionLimit",
            pipeline_metric(self._names, NEAR_LIMIT, "Sum", _PERIOD),
            f"A function came near the limit of its memory ({settings.memory_mb} MB) or of its time (5 minutes), or "
            "Lambda stopped it there. The dashboard shows the stage. Most often transform() keeps objects in memory "
            "or waits. A larger `memory_mb` gives each function more memory. A smaller `segment_bytes` gives each "
            f"worker less work. {_MORE}",
        )

    def _alarm(
        self, construct_id: str, metric: cloudwatch.IMetric, description: str, **changed: Any
    ) -> cloudwatch.Alarm:
        """Make the alarm on a metric above a threshold, by default 0. Its name follows from the construct's id."""
        usual = {
            "threshold": 0,
            "evaluation_periods": _ONCE,
            "comparison_operator": cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            "treat_missing_data": cloudwatch.TreatMissingData.NOT_BREACHING,
        }
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=self._names.alarms + _hyphened(construct_id),
            alarm_description=self._names.typed(description),
            metric=metric,
            **{**usual, **changed},
        )
        alarm.add_alarm_action(self._action)
        self.alarms.append(alarm)
        return alarm


def _hyphened(construct_id: str) -> str:
    """Turn a construct's id into a part of a name: ``DataLate`` becomes ``data-late``."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in construct_id).lstrip("-")
