"""The settings of a deployed pipeline, read from its functions, its rule, its alarms and its logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS
from etl.model.stages import FUNCTIONS
from etl.model.table_access import DESTINATION, SOURCE
from etl.settings import BY_FUNCTION, OPTIONAL
from etl_cli.aws.deployment import Deployment
from etl_cli.aws.error_messages import is_denied
from etl_cli.terminal.errors import UserError

_LATE, _REJECTED = "data-late", "rejected-share"


def deployed_settings(deployment: Deployment) -> dict[str, Any]:
    """Read the settings of a deployed pipeline.

    Returns:
        The value of each setting that a resource has and that you may read. No resource has ``pipelines``,
        ``removal_policy`` and ``lambda_platform``; the keys in KMS are in the roles' policies alone.

    Raises:
        UserError: a function hasn't the settings that the stack gives it.
    """
    found = _of_functions(deployment) | {"stage": deployment.names.stage}
    for read in (of_rule, of_alarms, _of_logs):
        found |= _if_allowed(read, deployment)
    return {name: found[name] for name in SETTINGS if name in found}


def setting_of(function: Mapping[str, Any], name: str, deploy: str) -> Any:
    """Read a setting from a function's configuration; ``deploy`` is the line that deploys it again.

    A function lacks the variable of a setting of the tables that has its default.

    Raises:
        UserError: the variable is missing, or its value isn't allowed.
    """
    setting = SETTINGS[name]
    text = function.get("Environment", {}).get("Variables", {}).get(setting.variable, "")
    if not text and name in OPTIONAL:
        return setting.default
    try:
        return setting.parse(text, called=setting.variable)
    except SettingsError as error:
        raise UserError(
            f"The function {function['FunctionName']} has no valid setting {name}: {error}.",
            f"The stack sets it: {deploy}",
        ) from None


def _of_functions(deployment: Deployment) -> dict[str, Any]:
    client = deployment.client("lambda")
    found: dict[str, Any] = {}
    for name, kind in BY_FUNCTION.items():
        function = client.get_function_configuration(FunctionName=deployment.names.function(name))
        own = [field.name for field in fields(kind) if field.name in SETTINGS]
        found |= {each: setting_of(function, each, deployment.deploy_line()) for each in own}
        found |= _tables(function)
        found |= {"memory_mb": function["MemorySize"], "architecture": function.get("Architectures", ["x86_64"])[0]}
    return found


def _tables(function: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a function that the stack names; None for one that it makes."""
    variables = function.get("Environment", {}).get("Variables", {})
    own = {side: f"{side}_table" for side in (SOURCE, DESTINATION) if f"{side}_table".upper() in variables}
    return {name: variables.get(f"existing_{side}".upper()) for side, name in own.items()}


def of_rule(deployment: Deployment) -> dict[str, Any]:
    """The settings of the schedule: ``schedule``, ``schedule_enabled``."""
    rule = deployment.client("events").describe_rule(Name=deployment.names.schedule_rule)
    return {"schedule": rule.get("ScheduleExpression"), "schedule_enabled": rule["State"] != "DISABLED"}


def of_alarms(deployment: Deployment) -> dict[str, Any]:
    """The settings of the alarms: ``late_hours``, ``reject_alarm_percent`` and ``alarm_email``, if they are there."""
    beginning = deployment.names.alarms
    named = [beginning + each for each in (_LATE, _REJECTED)]
    found = deployment.client("cloudwatch").describe_alarms(AlarmNames=named)["MetricAlarms"]
    alarms = {alarm["AlarmName"].removeprefix(beginning): alarm for alarm in found}
    values: dict[str, Any] = {}
    if _LATE in alarms:
        values["late_hours"] = int(alarms[_LATE]["Threshold"] // 3600)
    if _REJECTED in alarms:
        values["reject_alarm_percent"] = alarms[_REJECTED]["Threshold"]
        for topic in alarms[_REJECTED].get("AlarmActions", ())[:1]:  # somebody may have removed it
            values |= _if_allowed(partial(_of_topic, topic), deployment)
    return values


def _of_topic(topic: str, deployment: Deployment) -> dict[str, Any]:
    listed = deployment.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return {"alarm_email": next((each["Endpoint"] for each in listed if each["Protocol"] == "email"), None)}


def _of_logs(deployment: Deployment) -> dict[str, Any]:
    name = deployment.names.log_group(FUNCTIONS[0])  # all groups have the same retention
    groups = deployment.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    kept = [group["retentionInDays"] for group in groups if group["logGroupName"] == name]
    return {"log_retention_days": kept[0]} if kept else {}


def _if_allowed(read: Callable[[Deployment], dict[str, Any]], deployment: Deployment) -> dict[str, Any]:
    try:
        return read(deployment)
    except ClientError as error:
        if not is_denied(error):
            raise
        return {}
