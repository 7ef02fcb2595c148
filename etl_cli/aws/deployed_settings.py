"""The settings of a deployed pipeline, read from its functions, its rule, its alarms and its logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from etl.model.function_settings import OfTables
from etl.model.names import ALARMS, SCHEDULE_RULE
from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS
from etl.model.stages import FUNCTIONS, log_group_of
from etl.settings import BY_FUNCTION
from etl_cli.aws.deployment import Deployment, deploy_line
from etl_cli.aws.error_messages import is_denied
from etl_cli.terminal.errors import UserError

_LATE, _REJECTED = f"{ALARMS}data-late", f"{ALARMS}rejected-share"
_OF_TABLES = {field.name for field in fields(OfTables)}
_LOG_GROUP = log_group_of(FUNCTIONS[0])  # all groups have the same retention


def deployed_settings(deployment: Deployment) -> dict[str, Any]:
    """Read the settings of a deployed pipeline.

    Returns:
        The value of each setting that a resource has and that you may read. No resource has ``pipeline``,
        ``removal_policy`` and ``lambda_platform``.

    Raises:
        UserError: a function hasn't the settings that the stack gives it.
    """
    found = _of_functions(deployment)
    for read in (_of_rule, _of_alarms, _of_logs):
        found |= _if_allowed(read, deployment)
    return {name: found[name] for name in SETTINGS if name in found}


def setting_of(function: Mapping[str, Any], name: str, endpoint: str) -> Any:
    """Read a setting from a function's configuration; ``endpoint`` is of any service where the function is.

    A function lacks the variable of a setting of the tables that has its default.

    Raises:
        UserError: the variable is missing, or its value isn't allowed.
    """
    setting = SETTINGS[name]
    text = function.get("Environment", {}).get("Variables", {}).get(setting.variable, "")
    if not text and name in _OF_TABLES:
        return setting.default
    try:
        return setting.parse(text, called=setting.variable)
    except SettingsError as error:
        raise UserError(
            f"The function {function['FunctionName']} has no valid setting {name}: {error}.",
            f"The stack sets it: {deploy_line(endpoint)}",
        ) from None


def _of_functions(deployment: Deployment) -> dict[str, Any]:
    client = deployment.client("lambda")
    found: dict[str, Any] = {}
    for name, kind in BY_FUNCTION.items():
        function = client.get_function_configuration(FunctionName=name)
        own = [field.name for field in fields(kind) if field.name in SETTINGS]
        found |= {each: setting_of(function, each, client.meta.endpoint_url) for each in own}
        found |= {"memory_mb": function["MemorySize"], "architecture": function.get("Architectures", ["x86_64"])[0]}
    return found


def _of_rule(deployment: Deployment) -> dict[str, Any]:
    rule = deployment.client("events").describe_rule(Name=SCHEDULE_RULE)
    return {"schedule": rule.get("ScheduleExpression"), "schedule_enabled": rule["State"] != "DISABLED"}


def _of_alarms(deployment: Deployment) -> dict[str, Any]:
    found = deployment.client("cloudwatch").describe_alarms(AlarmNames=[_LATE, _REJECTED])["MetricAlarms"]
    alarms = {alarm["AlarmName"]: alarm for alarm in found}
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
    groups = deployment.client("logs").describe_log_groups(logGroupNamePrefix=_LOG_GROUP)["logGroups"]
    kept = [group["retentionInDays"] for group in groups if group["logGroupName"] == _LOG_GROUP]
    return {"log_retention_days": kept[0]} if kept else {}


def _if_allowed(read: Callable[[Deployment], dict[str, Any]], deployment: Deployment) -> dict[str, Any]:
    try:
        return read(deployment)
    except ClientError as error:
        if not is_denied(error):
            raise
        return {}
