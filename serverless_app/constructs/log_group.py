"""The log groups. All of them keep logs as long as the settings say, and are deleted with the stack."""

from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from serverless_app.settings import PipelineSettings


def log_group(scope: Construct, name: str, settings: PipelineSettings) -> logs.LogGroup:
    """Make the one log group of a construct.

    Args:
        scope: the construct that writes to it.
        name: name of the group.
        settings: the pipeline's settings.
    """
    group = logs.LogGroup(scope, "Logs", log_group_name=name, removal_policy=RemovalPolicy.DESTROY)
    # CDK takes names such as ONE_MONTH, CloudFormation takes days.
    cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = settings.log_retention_days
    return group


def workflow_logging(scope: Construct, name: str, settings: PipelineSettings) -> sfn.LogOptions:
    """Log every event of a state machine, but not the data of its states, which may hold anybody's input.

    A group below /aws/vendedlogs/ needs no entry of its own in the account's resource policy, which has a size limit.

    Args:
        scope: the construct that the log group belongs to.
        name: name of the state machine.
        settings: the pipeline's settings.
    """
    group = log_group(scope, settings.names.states_log_group(name), settings)
    return sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False)
