"""What tells a person that a run failed, or that one could not be started."""

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

_PERIOD = Duration.minutes(5)
_AFTER_FAILURE = (
    "The destination table has none or a part of the run's items. The execution's error and cause in Step Functions "
    "say what to do; after that, an execution with the same start and end loads the window whole."
)


class Monitoring(Construct):
    """Alarms that send an e-mail.

    Args:
        email: who is told; AWS asks that address to confirm once.
        state_machine: whose failed and timed out executions raise alarms.
        dead_letters: the queue whose messages are starts that were lost.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        email: str,
        state_machine: sfn.IStateMachine,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        topic = sns.Topic(self, "Topic", display_name="ETL pipeline", enforce_ssl=True, master_key=self._key())
        topic.add_subscription(subscriptions.EmailSubscription(email))
        self._alarm(
            "ExecutionFailed",
            "etl-pipeline-execution-failed",
            f"An execution of etl-pipeline failed. {_AFTER_FAILURE}",
            state_machine.metric_failed(statistic="Sum", period=_PERIOD),
            topic,
        )
        self._alarm(
            "ExecutionTimedOut",
            "etl-pipeline-execution-timed-out",
            f"An execution of etl-pipeline was not done after its 30 minutes. {_AFTER_FAILURE}",
            state_machine.metric_timed_out(statistic="Sum", period=_PERIOD),
            topic,
        )
        self._alarm(
            "StartLost",
            "etl-pipeline-start-lost",
            f"EventBridge could not start etl-pipeline. The queue {dead_letters.queue_name} holds the event, and why; "
            "start an execution with the event's time as the end of its window.",
            dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum", period=_PERIOD),
            topic,
        )

    def _key(self) -> kms.Key:
        """Make the topic's key: alarms cannot publish to a topic under the key that AWS manages for SNS."""
        key = kms.Key(
            self,
            "Key",
            description="Alarms of the ETL pipeline",
            enable_key_rotation=True,
            pending_window=Duration.days(7),
            removal_policy=RemovalPolicy.DESTROY,
        )
        own_alarms = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        alarms = iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=own_alarms)
        key.grant(alarms, "kms:Decrypt", "kms:GenerateDataKey*")
        return key

    def _alarm(
        self, construct_id: str, name: str, description: str, metric: cloudwatch.IMetric, topic: sns.ITopic
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=name,
            alarm_description=description,
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(topic))
