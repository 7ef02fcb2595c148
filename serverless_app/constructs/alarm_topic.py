"""The topic of the alarms: encrypted, over TLS only, for this account's alarms only."""

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from etl.model.names import Names


class AlarmTopic(Construct):
    """The topic ``etl-pipeline-alarms``.

    Attributes:
        topic: the topic itself.

    Args:
        names: the pipeline's; its alarms may publish.
        email: address that gets the alarms; AWS asks it once to confirm. None for no address.
    """

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, email: str | None) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        alarms = stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{names.alarms}*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        publisher = iam.ServicePrincipal(
            "cloudwatch.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}, "ArnLike": {"aws:SourceArn": alarms}},
        )
        # Alarms can't publish to a topic under the key that AWS manages for SNS.
        key = kms.Key(
            self,
            "Key",
            description=f"Alarms of the {names.title}",
            enable_key_rotation=True,
            pending_window=Duration.days(7),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=names.alarm_topic,
            display_name=names.title,
            enforce_ssl=True,
            master_key=key,
        )
        # The policy that enforces TLS replaces the default policy, which lets the account's alarms publish.
        self.topic.grant_publish(publisher)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
