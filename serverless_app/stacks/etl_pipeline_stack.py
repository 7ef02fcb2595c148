"""The stack of the ETL pipeline: its resources in the order of the specification, and its outputs."""

from pathlib import Path
from typing import Any, cast

from aws_cdk import CfnOutput, Duration, Fn, RemovalPolicy, Stack, Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from etl.invocation.code_version import engine_version
from serverless_app.bundling import bundle
from serverless_app.constructs.dashboard import Dashboard
from serverless_app.constructs.monitoring import Monitoring
from serverless_app.constructs.platform_widgets import REQUEST_METRICS
from serverless_app.constructs.run_ledger import RunLedger
from serverless_app.constructs.run_recorder import RunRecorder
from serverless_app.constructs.service_role import rule_role
from serverless_app.constructs.stage_function import StageFunction
from serverless_app.constructs.watermark_watch import WatermarkWatch
from serverless_app.constructs.workflow import Workflow
from serverless_app.nag import acknowledge_findings
from serverless_app.settings import CHECKOUT, PipelineSettings

_SCHEDULE_RULE = "etl-daily-schedule"
_DATA_REMOVAL = {"destroy": RemovalPolicy.DESTROY, "retain": RemovalPolicy.RETAIN}
# By which the handler of CDK's Custom::S3AutoDeleteObjects knows the buckets that it may empty.
_EMPTIED_TAG = "aws-cdk:auto-delete-objects"
# Of two tags of one name the higher priority wins; CDK gives 100 to its own.
_OVER_CDK = 200


class EtlPipelineStack(Stack):
    """A daily pipeline from one DynamoDB table to another.

    Args:
        settings: the knobs; read from the context (``-c etl:<setting>=<value>``) when None.
        kwargs: what every stack takes, such as ``env``.

    Raises:
        SettingsError: a setting in the context is wrong.
        BundlingError: the functions' code could not be put together.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: PipelineSettings | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("description", "Daily ETL pipeline: DynamoDB to DynamoDB, by way of S3")
        super().__init__(scope, construct_id, **kwargs)
        self.settings = settings or PipelineSettings.from_context(self.node)

        self.staging_bucket = self._staging_bucket()
        self.source_table = self._table("SourceTable", "etl-source-data")
        self.destination_table = self._table("DestinationTable", "etl-destination-data", sort_key="timestamp")
        self.ledger = RunLedger(self, "RunLedger", removal_policy=_DATA_REMOVAL[self.settings.removal_policy])
        source = self._source()
        code = lambda_.Code.from_asset(str(source))
        self.extract = self._extract(code)
        self.transform = self._transform(code)
        self.load = self._load(code)
        self.state_machine = Workflow(
            self,
            "Workflow",
            extract=self.extract.function,
            transform=self.transform.function,
            load=self.load.function,
            ledger=self.ledger,
            engine=engine_version(source),
            settings=self.settings,
        ).state_machine
        self.dead_letters = self._dead_letters()
        self.recorder = RunRecorder(
            self,
            "RunRecorder",
            ledger=self.ledger,
            state_machine=self.state_machine,
            dead_letters=self.dead_letters,
            settings=self.settings,
        ).state_machine
        self._daily_schedule()
        self._monitoring()
        self._outputs()
        acknowledge_findings(self, distributed=self.settings.distributed)

    def _staging_bucket(self) -> s3.Bucket:
        """Make the bucket between the stages; `cdk destroy` empties it first, unless it is to be retained.

        CDK's custom resource that empties the bucket, and its grant, are there either way: if a deployment removed
        them, CloudFormation would take the grant away before the custom resource, whose handler then fails three times
        (github.com/aws/aws-cdk/issues/14649 and 37257). The handler leaves alone what hasn't its tag with "true". The
        tag is not removed: a bucket without any tags would be an error to it.
        """
        bucket = s3.Bucket(
            self,
            "StagingBucket",
            bucket_name=f"etl-staging-{self.account}-{self.region}",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            metrics=[s3.BucketMetrics(id=REQUEST_METRICS)],
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire",
                    expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=RemovalPolicy.DESTROY,
            auto_delete_objects=True,
        )
        if self.settings.removal_policy == "retain":
            # CDK refuses the custom resource of a bucket that it knows to be retained.
            resource = cast(s3.CfnBucket, bucket.node.default_child)
            resource.add_override("DeletionPolicy", "Retain")
            resource.add_override("UpdateReplacePolicy", "Retain")
            Tags.of(bucket).add(_EMPTIED_TAG, "false", priority=_OVER_CDK)
        return bucket

    def _table(self, construct_id: str, name: str, *, sort_key: str | None = None) -> dynamodb.Table:
        """Make a table with the key ``id``.

        It is encrypted under the key that DynamoDB owns: a key in KMS would be asked, and paid, for every page and
        batch that the pipeline moves, and every function would need a grant on it.
        """
        sort = dynamodb.Attribute(name=sort_key, type=dynamodb.AttributeType.STRING) if sort_key else None
        return dynamodb.Table(
            self,
            construct_id,
            table_name=name,
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            sort_key=sort,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.DEFAULT,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=_DATA_REMOVAL[self.settings.removal_policy],
        )

    def _source(self) -> Path:
        """Give the functions' code. What `cdk ls` and `cdk destroy` need of the stack does not depend on it."""
        return bundle(self.settings) if self.bundling_required else CHECKOUT / "runtime"

    def _stores(self) -> str:
        """Name what a run reads and writes."""
        tables = (self.source_table, self.destination_table, self.ledger.table)
        return Fn.join(" ", [self.staging_bucket.bucket_name, *(table.table_name for table in tables)])

    def _extract(self, code: lambda_.Code) -> StageFunction:
        stage = StageFunction(
            self,
            "Extract",
            stage="extract",
            description="Plans the run and copies the window's items from the source table to S3",
            code=code,
            stores=self._stores(),
            environment={
                "STAGING_BUCKET": self.staging_bucket.bucket_name,
                "SOURCE_TABLE": self.source_table.table_name,
                "LEDGER_TABLE": self.ledger.table.table_name,
                "CATCH_UP_DAYS": str(self.settings.catch_up_days),
                "EVENT_WINDOW_DAYS": str(self.settings.event_window_days),
                "LOOKBACK_HOURS": str(self.settings.lookback_hours),
                "LATENESS_MINUTES": str(self.settings.lateness_minutes),
                "CONCURRENCY": str(self.settings.concurrency),
                "SEGMENT_BYTES": str(self.settings.segment_bytes),
                "PART_BYTES": str(self.settings.part_bytes),
            },
            settings=self.settings,
        )
        self.source_table.grant(stage.function, "dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem")
        self.ledger.table.grant(stage.function, "dynamodb:GetItem", "dynamodb:PutItem")
        stage.may_read(self.staging_bucket, "extract/*/run.json", sealed=False)
        stage.may_read(self.staging_bucket, "extract/*/replayed.json", "quarantine/*")
        stage.may_list_seals(self.staging_bucket, "quarantine/*")
        stage.may_write(self.staging_bucket, "extract/*")
        return stage

    def _transform(self, code: lambda_.Code) -> StageFunction:
        stage = StageFunction(
            self,
            "Transform",
            stage="transform",
            description="Transforms what was extracted, merges the aggregates and decides whether the run may load",
            code=code,
            stores=self._stores(),
            environment={
                "STAGING_BUCKET": self.staging_bucket.bucket_name,
                "PART_BYTES": str(self.settings.part_bytes),
                "REJECT_THRESHOLD_PERCENT": str(self.settings.reject_threshold_percent),
                "DROP_THRESHOLD_PERCENT": str(self.settings.drop_threshold_percent),
                "RECORD_SECONDS": str(self.settings.record_seconds),
            },
            settings=self.settings,
        )
        stage.may_read(self.staging_bucket, "extract/*", "transform/*/partials/*", "quarantine/*")
        stage.may_write(self.staging_bucket, "transform/*", "quarantine/*")
        return stage

    def _load(self, code: lambda_.Code) -> StageFunction:
        stage = StageFunction(
            self,
            "Load",
            stage="load",
            description="Loads what was transformed into the destination table and accounts for every item",
            code=code,
            stores=self._stores(),
            environment={
                "STAGING_BUCKET": self.staging_bucket.bucket_name,
                "DESTINATION_TABLE": self.destination_table.table_name,
                "LEDGER_TABLE": self.ledger.table.table_name,
                "MAX_WRITE_UNITS_PER_SECOND": str(self.settings.max_write_units_per_second),
            },
            settings=self.settings,
        )
        self.destination_table.grant(stage.function, "dynamodb:BatchWriteItem")
        self.ledger.table.grant(stage.function, "dynamodb:UpdateItem")
        stage.may_read(self.staging_bucket, "transform/*", "quarantine/*")
        stage.may_write(self.staging_bucket, "quarantine/*")
        return stage

    def _dead_letters(self) -> sqs.Queue:
        """Make the queue of the events that could not start an execution."""
        return sqs.Queue(
            self,
            "DeadLetters",
            queue_name="etl-pipeline-dead-letters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _daily_schedule(self) -> None:
        """Make the rule: it starts a run every day, and at an event "ETL Pipeline Trigger" from "manual.trigger".

        EventBridge delivers an event at least once, so the same one may start two runs. Both have the same window
        and write the same items; each has staging keys of its own.
        """
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
            rule_name=_SCHEDULE_RULE,
            description="Starts the ETL pipeline every day, and on demand",
            enabled=self.settings.schedule_enabled,
            schedule=schedule,
            event_pattern=events.EventPattern(source=["manual.trigger"], detail_type=["ETL Pipeline Trigger"]),
            targets=[
                targets.SfnStateMachine(
                    self.state_machine,
                    role=rule_role(self, _SCHEDULE_RULE),
                    input=events.RuleTargetInput.from_object(
                        {"time": events.EventField.time, "detail": events.EventField.from_path("$.detail")}
                    ),
                    dead_letter_queue=self.dead_letters,
                    # A window ends at the event's time, however late it starts; after two hours a person should know.
                    max_event_age=Duration.hours(2),
                    retry_attempts=185,
                )
            ],
        )

    def _monitoring(self) -> None:
        """Make what measures, what shows and what alarms."""
        stages = [self.extract, self.transform, self.load]
        WatermarkWatch(
            self, "WatermarkWatch", ledger=self.ledger, state_machine=self.state_machine, settings=self.settings
        )
        monitoring = Monitoring(
            self,
            "Monitoring",
            state_machine=self.state_machine,
            recorder=self.recorder,
            dead_letters=self.dead_letters,
            source=self.source_table,
            destination=self.destination_table,
            stages=stages,
            settings=self.settings,
        )
        Dashboard(
            self,
            "Dashboard",
            alarms=monitoring.alarms,
            state_machine=self.state_machine,
            functions=[stage.function for stage in stages],
            tables={"source": self.source_table, "destination": self.destination_table, "ledger": self.ledger.table},
            bucket=self.staging_bucket,
            settings=self.settings,
        )

    def _outputs(self) -> None:
        values = {
            "SourceTableName": (self.source_table.table_name, "Table that is read"),
            "DestinationTableName": (self.destination_table.table_name, "Table that is written"),
            "StagingBucketName": (self.staging_bucket.bucket_name, "Bucket between the stages"),
            "StateMachineArn": (self.state_machine.state_machine_arn, "State machine that runs the pipeline"),
        }
        for name, (value, description) in values.items():
            CfnOutput(self, name, value=value, description=description)
