"""The state machine that measures the age of the watermark, whether runs start or not."""

from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from etl.model import ledger_fields as fields
from etl.model.names import Names
from serverless_app.constructs.log_group import workflow_logging
from serverless_app.constructs.pipeline_metrics import WATERMARK_AGE
from serverless_app.constructs.run_events import SUCCEEDED
from serverless_app.constructs.run_ledger import RunLedger
from serverless_app.constructs.service_role import rule_role, state_machine_role
from serverless_app.settings import PipelineSettings

PERIOD = Duration.minutes(15)
# In the middle of CloudWatch's periods, which begin at the full hour: each has one measurement, even a late one.
_SCHEDULE = "cron(7/15 * * * ? *)"

_NOW = "$toMillis($states.context.State.EnteredTime)"
_RETRY: Any = {"errors": [sfn.Errors.ALL], "interval": Duration.seconds(1), "max_attempts": 3, "backoff_rate": 2}
_AGE = f"{{% ({_NOW} - $toMillis($states.input.since)) / 1000 %}}"


class WatermarkWatch(Construct):
    """The state machine ``etl-pipeline-watch``, which reports the watermark's age every 15 minutes.

    It isn't part of a run, so it also notices that no run starts. Before the first scheduled run there is no watermark:
    until then it reports the age of the pipeline's state machine. It measures again after each successful run, so an
    alarm ends soon.

    Attributes:
        state_machine: the watch.

    Args:
        ledger: the table with the watermark.
        state_machine: the pipeline's state machine.
        settings: the pipeline's settings.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        ledger: RunLedger,
        state_machine: sfn.StateMachine,
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        names = settings.names
        measure = self._measure(names)
        found = sfn.Choice.jsonata(
            self, "Found?", state_name="Found?", comment="Before the first run there is no watermark"
        )
        found.when(sfn.Condition.jsonata("{% $exists($states.input.since) %}"), measure)
        found.otherwise(self._read_creation(state_machine).next(measure))
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=names.watch,
            role=state_machine_role(self, names.watch),
            # An express execution of a second, 96 times a day, costs next to nothing.
            state_machine_type=sfn.StateMachineType.EXPRESS,
            comment="Reports the age of the watermark to CloudWatch.",
            definition_body=sfn.DefinitionBody.from_chainable(self._read_watermark(ledger).next(found)),
            query_language=sfn.QueryLanguage.JSONATA,
            timeout=Duration.minutes(2),
            tracing_enabled=True,
            logs=workflow_logging(self, names.watch, settings),
        )
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": names.namespace}},
            )
        )
        events.Rule(
            self,
            "Rule",
            rule_name=names.watch,
            description="Measures the age of the watermark every 15 minutes, and after each run",
            schedule=events.Schedule.expression(_SCHEDULE),
            event_pattern=events.EventPattern(source=[names.state_machine], detail_type=[names.event(SUCCEEDED)]),
            # A late measurement is out of date. The alarm notices a lost one.
            targets=[
                targets.SfnStateMachine(
                    self.state_machine, role=rule_role(self, names.watch), max_event_age=PERIOD, retry_attempts=3
                )
            ],
        )

    def _read_watermark(self, ledger: RunLedger) -> tasks.DynamoGetItem:
        """Make the state that reads the watermark from the ledger."""
        key = tasks.DynamoAttributeValue.from_string(fields.OF_WATERMARK)
        state = tasks.DynamoGetItem.jsonata(
            self,
            "ReadWatermark",
            state_name="ReadWatermark",
            table=ledger.table,
            key=dict.fromkeys(fields.KEY, key),
            consistent_read=True,
            outputs=f"{{% {{'since': $states.result.Item.{fields.END}.S}} %}}",
        )
        state.add_retry(**_RETRY)
        return state

    def _read_creation(self, state_machine: sfn.StateMachine) -> tasks.CallAwsService:
        """Make the state that reads when the pipeline was created."""
        state = tasks.CallAwsService.jsonata(
            self,
            "ReadCreation",
            state_name="ReadCreation",
            service="sfn",
            action="describeStateMachine",
            iam_action="states:DescribeStateMachine",
            iam_resources=[state_machine.state_machine_arn],
            parameters={"StateMachineArn": state_machine.state_machine_arn},
            outputs="{% {'since': $states.result.CreationDate} %}",
        )
        state.add_retry(**_RETRY)
        return state

    def _measure(self, names: Names) -> sfn.CustomState:
        """Make the state that reports to CloudWatch. CDK's own task would grant it every namespace."""
        data = {"MetricName": WATERMARK_AGE, "Unit": "Seconds", "Value": _AGE}
        state = sfn.CustomState(
            self,
            "Measure",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{Aws.PARTITION}:states:::aws-sdk:cloudwatch:putMetricData",
                "Arguments": {"Namespace": names.namespace, "MetricData": [data]},
            },
        )
        state.add_retry(**_RETRY)
        return state
