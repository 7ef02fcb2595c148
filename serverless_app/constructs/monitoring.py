"""What tells a person that a run failed, or that one could not be started."""

from aws_cdk import Duration
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


class Monitoring(Construct):
    """Two alarms that send an e-mail.

    Args:
        email: who is told; AWS asks that address to confirm once.
        state_machine: whose failed executions raise an alarm.
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
        failed = cloudwatch.MathExpression(
            expression="failed + timed_out",
            using_metrics={
                "failed": state_machine.metric_failed(statistic="Sum", period=_PERIOD),
                "timed_out": state_machine.metric_timed_out(statistic="Sum", period=_PERIOD),
            },
            label="Executions that failed or timed out",
            period=_PERIOD,
        )
        self._alarm(
            "ExecutionFailed",
            "etl-pipeline-execution-failed",
            "An execution of etl-pipeline failed or timed out: nothing, or a part, was loaded. Its error and cause in "
            "Step Functions say what to do; then start it again with the same window.",
            failed,
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
        key = kms.Key(self, "Key", description="Alarms of the ETL pipeline", enable_key_rotation=True)
        key.grant_encrypt_decrypt(iam.ServicePrincipal("cloudwatch.amazonaws.com"))
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
