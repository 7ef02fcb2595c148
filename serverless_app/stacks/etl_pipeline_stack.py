"""The stack of the ETL pipeline: its resources in the order of the specification, and its outputs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from etl.invocation.code_version import engine_version
from etl.model.names import SPECIFIED
from etl.model.windows import LATEST_DELIVERY
from serverless_app.bundling import bundle
from serverless_app.constructs.dashboard import Dashboard
from serverless_app.constructs.monitoring import Monitoring
from serverless_app.constructs.run_recorder import RunRecorder
from serverless_app.constructs.service_role import rule_role
from serverless_app.constructs.stage_functions import stage_functions
from serverless_app.constructs.storage import Storage
from serverless_app.constructs.watermark_watch import WatermarkWatch
from serverless_app.constructs.workflow import Workflow
from serverless_app.nag import acknowledge_findings
from serverless_app.settings import CHECKOUT, PipelineSettings


class EtlPipelineStack(Stack):
    """A daily pipeline from one DynamoDB table to another.

    Args:
        settings: the settings. If None, they are read from the context (``-c etl:<setting>=<value>``, with the
            pipeline's name for ``etl``) and from the pipeline's ``pipeline.toml``.
        pipeline: the pipeline's name, if the settings are None.
        kwargs: arguments of every stack, such as ``env``.

    Raises:
        SettingsError: a setting is wrong.
        BundlingError: the functions' code can't be bundled.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: PipelineSettings | None = None,
        pipeline: str = SPECIFIED,
        **kwargs: Any,
    ) -> None:
        self.settings = settings or PipelineSettings.from_context(_context(scope), pipeline=pipeline)
        self.names = self.settings.names
        kwargs.setdefault("description", "Daily ETL pipeline: DynamoDB to DynamoDB, by way of S3")
        kwargs.setdefault("stack_name", self.names.stack)
        super().__init__(scope, construct_id, **kwargs)

        self.storage = Storage.make(self, self.settings)
        source = self._source()
        self.functions = stage_functions(self, lambda_.Code.from_asset(str(source)), self.storage, self.settings)
        self.state_machine = Workflow(
            self,
            "Workflow",
            functions={name: stage.function for name, stage in self.functions.items()},
            ledger=self.storage.ledger,
            engine=engine_version(source),
            settings=self.settings,
        ).state_machine
        self.dead_letters = self._dead_letters()
        self.recorder = RunRecorder(
            self,
            "RunRecorder",
            ledger=self.storage.ledger,
            state_machine=self.state_machine,
            dead_letters=self.dead_letters,
            settings=self.settings,
        ).state_machine
        self._daily_schedule()
        self._monitoring()
        self._outputs()
        self.acknowledged = acknowledge_findings(
            self, self.functions.values(), self.names, distributed=self.settings.distributed
        )

    def _source(self) -> Path:
        """The functions' code. `cdk ls` and `cdk destroy` need no bundle of it."""
        return bundle(self.settings) if self.bundling_required else CHECKOUT / "runtime"

    def _dead_letters(self) -> sqs.Queue:
        """Make the queue of the events that could not start an execution."""
        return sqs.Queue(
            self,
            "DeadLetters",
            queue_name=self.names.dead_letters,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _daily_schedule(self) -> None:
        """Make the rule that starts a run every day, and at an event, "ETL Pipeline Trigger" from "manual.trigger".

        Another pipeline has its own name in place of ETL.

        EventBridge delivers an event at least once, so one event may start two runs. Both have the same window and
        write the same items. Each has its own staging keys.
        """
        # The specification has you change the time here; etl.model.settings.DAILY is the same as text.
        schedule = events.Schedule.cron(
            minute="0",
            hour="2",
            day="*",
            month="*",
            year="*",
        )
        if self.settings.schedule:
            schedule = events.Schedule.expression(self.settings.schedule)
        events.Rule(
            self,
            "DailySchedule",
            rule_name=self.names.schedule_rule,
            description=f"Starts the {self.names.title} every day, and on demand",
            enabled=self.settings.schedule_enabled,
            schedule=schedule,
            event_pattern=events.EventPattern(source=["manual.trigger"], detail_type=[self.names.event("Trigger")]),
            targets=[
                targets.SfnStateMachine(
                    self.state_machine,
                    role=rule_role(self, self.names.schedule_rule),
                    input=events.RuleTargetInput.from_object(
                        {"time": events.EventField.time, "detail": events.EventField.from_path("$.detail")}
                    ),
                    dead_letter_queue=self.dead_letters,
                    # The window ends at the event's time, however late the run starts. After two hours without a
                    # start, a person should know.
                    max_event_age=Duration.seconds(LATEST_DELIVERY.total_seconds()),
                    retry_attempts=185,
                )
            ],
        )

    def _monitoring(self) -> None:
        """Make the measurements, the alarms and the dashboard."""
        WatermarkWatch(
            self,
            "WatermarkWatch",
            ledger=self.storage.ledger,
            state_machine=self.state_machine,
            settings=self.settings,
        )
        monitoring = Monitoring(
            self,
            "Monitoring",
            state_machine=self.state_machine,
            recorder=self.recorder,
            dead_letters=self.dead_letters,
            storage=self.storage,
            stages=list(self.functions.values()),
            settings=self.settings,
        )
        Dashboard(
            self,
            "Dashboard",
            alarms=monitoring.alarms,
            state_machine=self.state_machine,
            functions=[stage.function for stage in self.functions.values()],
            storage=self.storage,
            settings=self.settings,
        )

    def _outputs(self) -> None:
        values = {
            "SourceTableName": (self.storage.source.address, "The table that the pipeline reads"),
            "DestinationTableName": (self.storage.destination.address, "The table that the pipeline writes"),
            "StagingBucketName": (self.storage.bucket.bucket_name, "The bucket between the stages"),
            "StateMachineArn": (self.state_machine.state_machine_arn, "The state machine that runs the pipeline"),
        }
        for name, (value, description) in values.items():
            CfnOutput(self, name, value=value, description=description)


def _context(scope: Construct) -> Mapping[str, Any]:
    found: Mapping[str, Any] = scope.node.get_all_context() or {}
    return found
