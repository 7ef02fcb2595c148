"""`etl settings`: the deployed values, the configured ones, and their differences."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.names import ETL
from etl.model.settings import DAILY, SETTINGS, Settings
from etl.model.stages import FUNCTIONS
from etl.settings import environment
from etl_cli.app import app
from etl_cli.aws.deployed_settings import deployed_settings
from etl_cli.aws.deployment import Deployment
from etl_cli.commands.settings import document, print_settings, view
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.errors import UserError
from tests.fakes.aws import FakeAws, RefusalError, stack, stacks
from tests.fakes.pipeline import NAMES
from tests.fakes.state_machine import OUTPUTS
from tests.tuned import TUNED

UNREADABLE = {"pipelines", "removal_policy", "lambda_platform", "source_kms_key_arn", "destination_kms_key_arn"}


def aws(values: Settings = TUNED, answers: dict[str, Any] | None = None, names: Mapping[str, str] = NAMES) -> FakeAws:
    """The resources of a pipeline that is deployed with these settings."""

    def function(FunctionName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        variables = environment(FunctionName.removeprefix("etl-"), asdict(values) | dict(names))
        return {
            "FunctionName": FunctionName,
            "MemorySize": values.memory_mb,
            "Architectures": [values.architecture],
            "Environment": {"Variables": variables},
        }

    topic = "arn:aws:sns:eu-west-1:111122223333:etl-pipeline-alarms"
    thresholds = {"data-late": values.late_hours * 3600, "rejected-share": values.reject_alarm_percent}
    alarms = [
        {"AlarmName": f"etl-pipeline-{name}", "Threshold": float(value), "AlarmActions": [topic]}
        for name, value in thresholds.items()
    ]
    emails = [{"Protocol": "email", "Endpoint": values.alarm_email}] if values.alarm_email else []
    state = "ENABLED" if values.schedule_enabled else "DISABLED"
    groups = [
        {"logGroupName": ETL.log_group(function), "retentionInDays": values.log_retention_days}
        for function in FUNCTIONS
    ]
    usual: dict[str, Any] = {
        "cloudformation.DescribeStacks": stacks(stack(OUTPUTS)),
        "lambda.GetFunctionConfiguration": function,
        "eventbridge.DescribeRule": {
            "State": state,
            "ScheduleExpression": values.schedule or DAILY,
        },
        "cloudwatch.DescribeAlarms": {"MetricAlarms": alarms},
        "sns.ListSubscriptionsByTopic": {"Subscriptions": emails},
        "cloudwatch-logs.DescribeLogGroups": {"logGroups": groups},
    }
    return FakeAws(usual | (answers or {}))


def read(fake: FakeAws) -> dict[str, Any]:
    return deployed_settings(Deployment.find(fake.session))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "pipelines/etl"
    folder.mkdir(parents=True)
    (folder / "transformation.py").touch()
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"etl:lookback_hours": 48}}))
    return tmp_path


def test_deployed_values_are_those_of_the_resources() -> None:
    found = read(aws())

    assert found.keys() == SETTINGS.keys() - UNREADABLE
    assert found == {name: value for name, value in asdict(TUNED).items() if name in found}


@pytest.mark.parametrize(
    ("operation", "unread"),
    [
        ("eventbridge.DescribeRule", {"schedule", "schedule_enabled"}),
        ("cloudwatch.DescribeAlarms", {"late_hours", "reject_alarm_percent", "alarm_email"}),
        ("sns.ListSubscriptionsByTopic", {"alarm_email"}),
        ("cloudwatch-logs.DescribeLogGroups", {"log_retention_days"}),
    ],
)
def test_a_value_that_you_may_not_read_is_left_out(operation: str, unread: set[str]) -> None:
    assert read(aws(answers={operation: RefusalError("AccessDenied")})).keys() == SETTINGS.keys() - UNREADABLE - unread


def test_a_table_that_the_stack_only_names_is_a_setting() -> None:
    table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
    role = "arn:aws:iam::111122223333:role/reader"
    values = Settings(source_table="orders", source_role_arn=role)

    found = read(aws(values, names=NAMES | {"source_table": table, "existing_source": table}))

    assert (found["source_table"], found["source_role_arn"]) == (table, role)
    assert (found["destination_table"], found["destination_role_arn"]) == (None, None)


def test_an_alarm_without_its_topic_hides_the_email_alone() -> None:
    alarm = {"AlarmName": "etl-pipeline-rejected-share", "Threshold": 2.0, "AlarmActions": []}
    found = read(aws(answers={"cloudwatch.DescribeAlarms": {"MetricAlarms": [alarm]}}))

    assert found["reject_alarm_percent"] == 2
    assert "alarm_email" not in found


def test_a_deployment_of_the_defaults_changes_nothing(checkout: Path) -> None:
    (checkout / "cdk.json").write_text("{}")

    assert not [each.setting.name for each in view(read(aws(Settings())), ETL, checkout) if each.differs]


def test_a_setting_differs_from_its_configured_value(checkout: Path) -> None:
    deployed = {"lookback_hours": 24, "late_hours": 26, "memory_mb": 1024, "reject_alarm_percent": 1.0}

    found = {each["name"]: each for each in map(document, view(deployed, ETL, checkout))}

    assert {name for name, each in found.items() if each["differs"]} == {"lookback_hours", "memory_mb"}
    assert (found["lookback_hours"]["configured"], found["lookback_hours"]["deployed"]) == (48, 24)
    assert (found["removal_policy"]["readable"], found["removal_policy"]["deployed"]) == (False, None)


@pytest.mark.parametrize(("deployed", "differs"), [(DAILY, False), ("rate(1 hour)", True)])
def test_without_a_schedule_the_daily_one_is_deployed(checkout: Path, deployed: str, differs: bool) -> None:
    (found,) = (each for each in view({"schedule": deployed}, ETL, checkout) if each.setting.name == "schedule")

    assert (found.differs, found.target) == (differs, DAILY)


def test_a_configured_value_that_is_refused_is_one_error(checkout: Path) -> None:
    (checkout / "pipelines/etl/pipeline.toml").write_text("[settings]\nlate_hours = 0\n")

    with pytest.raises(UserError, match="late_hours must be"):
        view({}, ETL, checkout)


@pytest.mark.parametrize("width", [None, 60])
def test_people_see_each_value_and_the_changes(checkout: Path, width: int | None) -> None:
    text = io.StringIO()

    print_settings(Terminal(file=text, width=width), view({"lookback_hours": 24}, ETL, checkout), "cdk deploy")

    lines = text.getvalue().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("lookback_hours ")] == ["24"]
    assert [line.split()[1:] for line in lines if line.startswith("removal_policy ")] == [["?", "default:", "destroy"]]
    assert lines[-2].split() == ["lookback_hours:", "24", "->", "48"]
    assert lines[-1] == "Deploy: cdk deploy"


def test_programs_get_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = aws()
    monkeypatch.setattr("boto3.Session", lambda **_: fake.session)

    done = CliRunner().invoke(app, ["settings", "--json"])

    assert done.exit_code == 0
    found = json.loads(done.stdout)["settings"]
    assert [each["name"] for each in found] == [*SETTINGS]
    assert [set(each) for each in found] == [
        {"name", "default", "configured", "deployed", "readable", "differs", "allowed", "sentence"}
    ] * len(found)
