"""Log groups: all of the stack's are kept as long as the settings say, and go with the stack."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from serverless_app.settings import LOG_RETENTIONS, PipelineSettings


def log_group(scope: Construct, name: str, settings: PipelineSettings) -> logs.LogGroup:
    """Make the one log group of a construct.

    Args:
        scope: the construct that writes to it.
        name: name of the group.
        settings: the pipeline's settings.
    """
    return logs.LogGroup(
        scope,
        "Logs",
        log_group_name=name,
        retention=logs.RetentionDays[LOG_RETENTIONS[settings.log_retention_days]],
        removal_policy=RemovalPolicy.DESTROY,
    )
