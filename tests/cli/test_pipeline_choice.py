"""`--pipeline` and ETL_PIPELINE: the deployed pipeline that a verb is about."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from etl.model.names import Names
from etl_cli.app import app
from etl_cli.aws.deployment import Deployment, MissingStackError
from etl_cli.aws.pipelines import deployed_stacks
from etl_cli.terminal.errors import UserError
from tests.fakes.aws import Answer, FakeAws, RefusalError, stack, stacks


def outputs(names: Names) -> dict[str, str]:
    return {
        "SourceTableName": names.source_table,
        "DestinationTableName": names.destination_table,
        "StagingBucketName": names.staging_bucket("111122223333", "eu-west-1"),
        "StateMachineArn": f"arn:aws:states:eu-west-1:111122223333:stateMachine:{names.state_machine}",
    }


def deployed(*pipelines: Names, others: tuple[dict[str, Any], ...] = ()) -> FakeAws:
    """AWS with the stacks of these pipelines, and others."""
    own = [stack(outputs(names), name=names.stack) for names in pipelines]
    return FakeAws({"cloudformation.DescribeStacks": stacks(*others, *own)})


def chosen(aws: FakeAws, pipeline: str | None = None) -> Names:
    return Deployment.find(aws.session, None, pipeline).names


ETL, ORDERS, DEV, EU = Names(), Names("orders"), Names("orders", "dev"), Names("orders-eu")
# The first has no pipeline's name; the state machine of the second isn't the one that a pipeline of its name has; the
# third has such a state machine, but no tables.
STRANGERS = (
    stack({}, name="CDKToolkit"),
    stack(outputs(ETL), name="OtherPipelineStack"),
    stack({"StateMachineArn": outputs(Names("foo"))["StateMachineArn"]}, name="FooPipelineStack"),
)


@pytest.mark.parametrize("names", [ETL, ORDERS, DEV])
def test_the_only_pipeline_is_found_by_itself(names: Names) -> None:
    found = Deployment.find(deployed(names, others=STRANGERS).session)

    assert found.names == names
    assert found.source_table == names.source_table
    assert found.state_machine.endswith(f":{names.state_machine}")


def test_several_pipelines_are_listed_for_a_choice() -> None:
    with pytest.raises(UserError) as several:
        chosen(deployed(ORDERS, ETL, DEV))

    assert "etl, orders, orders-dev" in several.value.message
    assert "ETL_PIPELINE" in several.value.remedy
    assert "--pipeline etl" in several.value.remedy_lines[0]


@pytest.mark.parametrize("names", [ETL, ORDERS, DEV, EU])
def test_a_pipeline_is_chosen_by_the_beginning_of_its_names(names: Names) -> None:
    aws = deployed(ETL, ORDERS, DEV, EU)

    assert chosen(aws, names.prefix) == names
    assert aws.calls == ["cloudformation.DescribeStacks"] * (2 if names == DEV else 1)


@pytest.mark.parametrize("pipeline", ["order", "orders-prod", "Orders", "CDKToolkit"])
def test_a_pipeline_that_is_not_deployed_is_refused_with_the_others(pipeline: str) -> None:
    with pytest.raises(UserError) as refused:
        chosen(deployed(ORDERS, ETL), pipeline)

    assert f"no pipeline {pipeline}" in refused.value.message
    assert "etl, orders" in refused.value.message


@pytest.mark.parametrize(
    ("pipeline", "line"),
    [
        (None, "cdk deploy EtlPipelineStack"),
        ("orders", "cdk deploy OrdersPipelineStack"),
    ],
)
def test_without_any_pipeline_you_deploy_the_chosen_one(pipeline: str | None, line: str) -> None:
    with pytest.raises(MissingStackError) as missing:
        chosen(deployed(others=STRANGERS), pipeline)

    assert missing.value.remedy.endswith(line)


def test_a_choice_needs_no_permission_to_list_stacks() -> None:
    known = stacks(stack(outputs(ORDERS), name=ORDERS.stack), stack(outputs(ETL)))

    def only_by_name(**request: Any) -> dict[str, Any]:
        if not request.get("StackName"):
            raise RefusalError("AccessDenied")
        assert callable(known)
        return known(**request)

    aws = FakeAws({"cloudformation.DescribeStacks": only_by_name})
    assert chosen(aws, "orders") == ORDERS
    assert chosen(aws) == ETL


def test_the_deployed_pipelines_are_in_the_order_of_their_names() -> None:
    aws = deployed(EU, DEV, ETL, ORDERS, others=STRANGERS)

    found = deployed_stacks(aws.session.client("cloudformation"))

    assert [each.names for each in found] == [ETL, ORDERS, DEV, EU]
    assert {each.status for each in found} == {"UPDATE_COMPLETE"}
    assert aws.calls == ["cloudformation.DescribeStacks"] * 7


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_verb_is_about_the_chosen_pipeline(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def query(TableName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        asked.append(TableName)
        return {"Items": []}

    aws = deployed(ETL, ORDERS, DEV)
    answers: dict[str, Answer] = {"dynamodb.Query": query, "dynamodb.GetItem": {}}
    aws.answers |= answers
    monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)
    if by == "variable":
        monkeypatch.setenv("ETL_PIPELINE", "orders-dev")

    done = CliRunner().invoke(app, [*(["--pipeline", "orders-dev"] if by == "option" else []), "runs"])

    assert done.exit_code == 0
    assert asked == ["orders-dev-run-ledger"]
    # A line to type chooses the same pipeline, unless the shell does so already.
    assert ("--pipeline orders-dev run" in done.stdout) is (by == "option")
