"""`etl doctor`: what it finds in an AWS that answers in every way it can."""

from __future__ import annotations

import io
import json
import shlex
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from etl_cli.app import app
from etl_cli.aws.place import Place
from etl_cli.commands.doctor import checkup_document, print_findings
from etl_cli.doctor.checkup import Checkup
from etl_cli.doctor.findings import Finding
from etl_cli.doctor.ledger_findings import ledger_findings
from etl_cli.runs.coverage import of_whole_table
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Span, Times
from tests.docs.examples import example
from tests.fakes.aws import ROOM, Answer, FakeAws, RefusalError, account, stack, stacks, unreachable
from tests.fakes.pipeline import ENVIRONMENT
from tests.fakes.recording import specified
from tests.unit.builders import item

NOW = datetime(2026, 11, 5, 8, tzinfo=UTC)
MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:etl-pipeline"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/etl-pipeline-dead-letters"
OUTPUTS = {
    "SourceTableName": "etl-source-data",
    "DestinationTableName": "etl-destination-data",
    "StagingBucketName": "etl-staging-111122223333-eu-west-1",
    "StateMachineArn": MACHINE,
}
ETL = EtlLines(program="etl")
FUNCTIONS = ["extract", "transform", "load"]
PLACE = ["credentials", "region", "stack", "schedule", "workflow", *FUNCTIONS, "concurrency"]
STORES = ["source", "destination", "staging", "dead letters", "ledger"]
ABOUT = [*PLACE, *STORES, "last run", "watermark", "gaps"]


FUNCTION = {"State": "Active", "Environment": {"Variables": ENVIRONMENT | {"CONCURRENCY": "40"}}}


def described(TableName: str, status: str = "ACTIVE") -> dict[str, Any]:  # noqa: N803 - boto3's name
    """A table with the specification's key."""
    return {"Table": specified("source" in TableName) | {"TableName": TableName, "TableStatus": status}}


def run_item(day: int, **attributes: str) -> dict[str, Any]:
    """The ledger's item of a night's run."""
    given = {
        "kind": "run",
        "id": f"night-{day}",
        "run": f"202611{day:02}T020000123Z",
        "status": "SUCCEEDED",
        "window_start": f"2026-11-{day - 1:02}T01:45:00Z",
        "window_end": f"2026-11-{day:02}T02:00:00Z",
        "started_at": f"2026-11-{day:02}T02:00:00.123Z",
        "finished_at": f"2026-11-{day:02}T02:03:07.123Z",
    } | attributes
    return {name: {"S": value} for name, value in given.items()} | {"counts": {"M": {"loaded": {"N": "11204"}}}}


def watermark_item(day: int) -> dict[str, Any]:
    return {"since": {"S": "2026-11-03T01:45:00Z"}, "end": {"S": f"2026-11-{day:02}T02:00:00Z"}}


def well() -> dict[str, Answer]:
    """What AWS answers when all is well."""
    return {
        "sts.GetCallerIdentity": {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/oncall"},
        "cloudformation.DescribeStacks": stacks(stack(OUTPUTS)),
        "eventbridge.DescribeRule": {"State": "ENABLED", "ScheduleExpression": "cron(0 2 * * ? *)"},
        "eventbridge.ListTargetsByRule": {"Targets": [{"Id": "0", "Arn": MACHINE}]},
        "sfn.DescribeStateMachine": {"status": "ACTIVE"},
        "lambda.GetFunctionConfiguration": FUNCTION | {"LastUpdateStatus": "Successful"},
        "dynamodb.DescribeTable": described,
        "s3.HeadBucket": {},
        "sqs.GetQueueUrl": {"QueueUrl": QUEUE},
        "sqs.GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "0"}},
        "dynamodb.Query": {"Items": [run_item(4), run_item(5)]},
        "dynamodb.GetItem": {"Item": watermark_item(5)},
        **ROOM,
    }


GROUPS: dict[str, Answer] = {"cloudwatch-logs.DescribeLogGroups": {"logGroups": []}}
NOTHING: dict[str, Answer] = GROUPS | {
    "cloudformation.DescribeEvents": {"OperationEvents": []},
    "dynamodb.DescribeTable": RefusalError("ResourceNotFoundException"),
    "s3.HeadBucket": RefusalError("404"),
    "cloudwatch-logs.DescribeLogGroups": {"logGroups": []},
}


def look(changes: dict[str, Answer], **place: Any) -> list[Finding]:
    """What is found when AWS answers differently from when all is well."""
    aws = FakeAws(well() | changes, **place)
    return list(Checkup(Place(aws.session), ETL, Times(), NOW, timedelta(hours=26)).findings())


def wrong(findings: list[Finding]) -> Finding:
    """The one finding that isn't ok; all the others have been looked at."""
    (found,) = [finding for finding in findings if finding.level != "ok"]
    assert {finding.about for finding in findings} == set(ABOUT)
    return found


def test_all_is_well() -> None:
    found = look({})

    assert [finding.about for finding in found] == ABOUT
    assert {finding.level for finding in found} == {"ok"}
    assert not any(finding.remedy or finding.command for finding in found)
    assert checkup_document(found)["well"]


@pytest.mark.parametrize(
    ("operation", "answer", "about", "level", "says", "helps"),
    [
        ("eventbridge.DescribeRule", {"State": "DISABLED"}, "schedule", "warning", "is disabled", "aws events enable-"),
        ("eventbridge.ListTargetsByRule", {"Targets": []}, "schedule", "problem", "does not start", "cdk deploy"),
        ("sfn.DescribeStateMachine", {"status": "DELETING"}, "workflow", "problem", "is DELETING", "cdk deploy"),
        ("s3.HeadBucket", RefusalError("404"), "staging", "problem", "no bucket etl-staging-1111", "cdk deploy"),
        ("s3.HeadBucket", RefusalError("301"), "staging", "problem", "(301)", "Health Dashboard"),
        (
            "sqs.GetQueueAttributes",
            {"Attributes": {"ApproximateNumberOfMessages": "3"}},
            "dead letters",
            "problem",
            "3 events",
            f"receive-message --message-attribute-names All --queue-url {QUEUE}",
        ),
        ("dynamodb.Query", {"Items": []}, "last run", "warning", "none yet", "etl run"),
        ("dynamodb.GetItem", {}, "watermark", "warning", "none yet", "etl run"),
    ],
)
def test_what_is_wrong_is_said_with_what_helps(
    operation: str, answer: Answer, about: str, level: str, says: str, helps: str
) -> None:
    found = wrong(look({operation: answer}))

    assert (found.about, found.level) == (about, level)
    assert says in found.text
    assert helps in f"{found.remedy} {found.command}"


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        ({"State": "Failed", "StateReason": "its key is gone"}, "is Failed: its key is gone"),
        ({"State": "Active", "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no"}, "is not updated: no"),
    ],
)
def test_a_function_that_is_not_active(name: str, configuration: dict[str, str], says: str) -> None:
    def answer(FunctionName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return FUNCTION | (configuration if FunctionName == f"etl-{name}" else {"State": "Inactive"})

    found = wrong(look({"lambda.GetFunctionConfiguration": answer}))

    assert found.about == name
    assert says in found.text


@pytest.mark.parametrize(("table", "about"), [("etl-source-data", "source"), ("etl-destination-data", "destination")])
def test_a_table_that_is_gone(table: str, about: str) -> None:
    def answer(TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if TableName == table:
            raise RefusalError("ResourceNotFoundException")
        return described(TableName)

    found = wrong(look({"dynamodb.DescribeTable": answer}))

    assert (found.about, found.text) == (about, f"There is no table {table}")


@pytest.mark.parametrize(
    ("limits", "reserved", "level", "says", "helps"),
    [
        (account(40), None, "ok", "", ""),
        (account(10), None, "warning", "runs 10 of the 40 workers of a stage at once", "--quota-code L-B99A9384"),
        (account(10), None, "warning", "the account's quota is 10", "etl plan says whether 30 minutes are enough"),
        (account(1_000, 30), None, "warning", "1,000 concurrent executions, and 970 of", "--desired-value 1010"),
        (account(1_000), 5, "warning", "5 executions at once reserved for etl-load", "--function-name etl-load"),
        (account(10), 40, "warning", "runs 10 of", "--desired-value 1000"),
        (account(1_000), 0, "problem", "etl-load can't run", "delete-function-concurrency --function-name etl-load"),
    ],
)
def test_the_room_of_lambda_is_compared_with_the_workers(
    limits: dict[str, Any], reserved: int | None, level: str, says: str, helps: str
) -> None:
    def reservation(FunctionName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"ReservedConcurrentExecutions": reserved} if FunctionName == "etl-load" and reserved is not None else {}

    found = look({"lambda.GetAccountSettings": limits, "lambda.GetFunctionConcurrency": reservation})

    (room,) = [finding for finding in found if finding.about == "concurrency"]
    assert room.level == level
    assert says in room.text
    assert helps in f"{room.remedy} {room.command}"


def test_a_function_without_concurrency_is_a_problem() -> None:
    found = wrong(look({"lambda.GetFunctionConfiguration": {"FunctionName": "etl-extract", "State": "Active"}}))

    assert (found.about, found.level) == ("concurrency", "problem")
    assert "cdk deploy" in found.command


def test_a_table_that_is_being_changed_is_there() -> None:
    found = look({"dynamodb.DescribeTable": partial(described, status="UPDATING")})

    assert {finding.level for finding in found} == {"ok"}


def test_without_a_ledger_what_it_would_tell_is_missing() -> None:
    found = look({"dynamodb.Query": RefusalError("ResourceNotFoundException")})

    assert found[-1].about == "ledger"
    assert (found[-1].level, found[-1].text) == ("problem", "There is no table etl-run-ledger.")


@pytest.mark.parametrize("operation", sorted(set(well()) - {"sts.GetCallerIdentity"}))
def test_a_missing_permission_is_named_and_others_are_checked(operation: str) -> None:
    found = look({operation: RefusalError("AccessDeniedException")})

    service, name = operation.split(".")
    prefix = {"eventbridge": "events", "sfn": "states"}.get(service, service)
    action = {"s3:HeadBucket": "s3:ListBucket"}.get(f"{prefix}:{name}", f"{prefix}:{name}")
    problems = [finding for finding in found if finding.level != "ok"]
    assert problems
    for problem in problems:
        assert f"{action} is denied" in problem.text
        assert problem.remedy == f"Allow {action} to arn:aws:iam::111122223333:user/oncall."
    assert {finding.about for finding in found} >= set(ABOUT[:-3])


def test_the_permission_is_the_one_that_aws_names() -> None:
    message = "User: arn:aws:iam::1:user/a is not authorized to perform: kms:Decrypt on resource: b"
    found = wrong(look({"sqs.GetQueueAttributes": RefusalError("AccessDenied", message)}))

    assert found.text.startswith("kms:Decrypt is denied: queue etl-pipeline-dead-letters")


@pytest.mark.parametrize("operation", sorted(well()))
def test_a_silent_service_is_a_problem_and_others_are_checked(operation: str) -> None:
    found = look({operation: unreachable()})

    problems = [finding for finding in found if finding.level != "ok"]
    assert problems
    assert all("Could not connect" in problem.text for problem in problems)
    assert len({finding.about for finding in found}) >= len(ABOUT) - 3


@pytest.mark.parametrize(
    ("status", "level"),
    [
        ("CREATE_COMPLETE", "ok"),
        ("UPDATE_IN_PROGRESS", "warning"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "warning"),
        ("UPDATE_ROLLBACK_COMPLETE", "warning"),
        ("ROLLBACK_COMPLETE", "problem"),
        ("REVIEW_IN_PROGRESS", "problem"),
        ("DELETE_FAILED", "problem"),
        ("UPDATE_ROLLBACK_FAILED", "problem"),
    ],
)
def test_the_stack_has_a_status(status: str, level: str) -> None:
    answer = {"cloudformation.DescribeStacks": stacks(stack(OUTPUTS, status))}
    found = [each for each in look(NOTHING | answer) if each.about == "stack"]

    assert [(each.level, status in each.text) for each in found] == [(level, True)]


def test_the_rest_is_checked_where_the_stack_cannot_be_read() -> None:
    assert wrong(look({"cloudformation.DescribeStacks": RefusalError("AccessDenied")})).about == "stack"


def test_a_stack_that_is_not_the_pipelines() -> None:
    found = wrong(look({"cloudformation.DescribeStacks": stacks(stack({}, "CREATE_COMPLETE"))}))

    assert "has no output SourceTableName, DestinationTableName, StagingBucketName, StateMachineArn" in found.text


@pytest.mark.parametrize("status", ["", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_without_a_stack_s_resources_nothing_else_is_checked(status: str) -> None:
    answer = stacks(stack({}, status)) if status else stacks()
    found = look(NOTHING | {"cloudformation.DescribeStacks": answer})

    assert [finding.about for finding in found] == ["credentials", "region", "stack"]
    assert found[-1].command == "cdk deploy EtlPipelineStack"


def retained(**arguments: Any) -> dict[str, Any]:
    """The answer of a table that a stack before has left; that of the ledger is gone."""
    if arguments["TableName"] == "etl-run-ledger":
        raise RefusalError("ResourceNotFoundException")
    return described(**arguments)


def log_groups(**arguments: Any) -> dict[str, Any]:
    """Log groups on two pages: an account may have many functions whose names begin with etl-."""
    if arguments.get("nextToken"):
        return {"logGroups": [{"logGroupName": "/aws/lambda/etl-load"}]}
    return {"logGroups": [{"logGroupName": "/aws/lambda/etl-other"}], "nextToken": "2"}


def in_the_way(*found: dict[str, Any], **place: Any) -> list[Finding]:
    answers: dict[str, Answer] = {"dynamodb.DescribeTable": retained, "cloudwatch-logs.DescribeLogGroups": log_groups}
    answers["cloudformation.DescribeEvents"] = {"OperationEvents": []}
    findings = look(answers | {"cloudformation.DescribeStacks": stacks(*found)}, **place)
    return [finding for finding in findings if finding.about == "in the way"]


def test_without_a_stack_obstacles_come_with_both_ways_out() -> None:
    keep, delete = in_the_way()

    names = "table etl-source-data, table etl-destination-data, bucket etl-staging-111122223333-eu-west-1, "
    assert keep.text.startswith(f"{names}log group /aws/lambda/etl-load:")
    assert "etl-run-ledger" not in keep.text
    take_in, deploy = (shlex.split(line) for line in keep.command.split(" && "))
    assert take_in[:-1] == [
        "cdk",
        "import",
        "EtlPipelineStack",
        "-c",
        "etl:removal_policy=retain",
        "--resource-mapping-inline",
    ]
    assert json.loads(take_in[-1]) == {
        "SourceTable70380C26": {"TableName": "etl-source-data"},
        "DestinationTableE41E7513": {"TableName": "etl-destination-data"},
        "StagingBucket9644C37C": {"BucketName": "etl-staging-111122223333-eu-west-1"},
        "LoadLogsFED4C05A": {"LogGroupName": "/aws/lambda/etl-load"},
    }
    assert deploy == ["cdk", "deploy", "EtlPipelineStack", "-c", "etl:removal_policy=retain"]
    assert delete.command.split(" && ") == [
        "aws dynamodb delete-table --table-name etl-source-data",
        "aws dynamodb delete-table --table-name etl-destination-data",
        "aws s3 rb --force s3://etl-staging-111122223333-eu-west-1",
        "aws logs delete-log-group --log-group-name /aws/lambda/etl-load",
    ]


def test_cloudformation_s_reasons_for_a_refusal_are_shown() -> None:
    reason = "Resource of type 'AWS::SQS::Queue' with identifier 'etl-pipeline-dead-letters' already exists."
    failed = {"LogicalResourceId": "DeadLetters", "ValidationStatus": "FAILED", "ValidationStatusReason": reason}
    failing = stacks(stack({}, "ROLLBACK_COMPLETE"))
    events = {"OperationEvents": [{"EventType": "PROVISIONING_ERROR"}, failed]}
    found = look({"cloudformation.DescribeStacks": failing, "cloudformation.DescribeEvents": events} | GROUPS)

    assert [each.text for each in found if each.about == "refused"] == [f"DeadLetters: {reason}"]


def test_the_room_for_a_function_that_is_gone_is_not_looked_for() -> None:
    found = look({"lambda.GetFunctionConfiguration": RefusalError("ResourceNotFoundException")})

    assert {finding.about for finding in found if finding.level != "ok"} == set(FUNCTIONS)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_failed_stack_is_removed_before_an_import(status: str) -> None:
    keep, _ = in_the_way(stack({}, status))

    assert keep.command.startswith(
        "aws cloudformation delete-stack --stack-name EtlPipelineStack && "
        "aws cloudformation wait stack-delete-complete --stack-name EtlPipelineStack && cdk import "
    )


def test_nothing_is_in_the_way_of_a_stack_that_has_its_resources() -> None:
    assert in_the_way(stack(OUTPUTS)) == []


def test_a_look_for_obstacles_that_is_denied_is_told() -> None:
    denied: Answer = RefusalError("AccessDeniedException")
    found = look({"cloudformation.DescribeStacks": stacks(), "dynamodb.DescribeTable": denied})

    assert [finding.about for finding in found] == ["credentials", "region", "stack", "in the way"]
    assert "dynamodb:DescribeTable is denied" in found[-1].text


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_with_credentials_of_no_use_nothing_else_is_looked_for(code: str) -> None:
    (found,) = look({"sts.GetCallerIdentity": RefusalError(code)})

    assert (found.about, found.level) == ("credentials", "problem")
    assert code in found.text
    assert "--profile" in found.remedy


def test_a_local_environment_that_is_down_is_one_finding() -> None:
    (found,) = look({"sts.GetCallerIdentity": unreachable()}, endpoint="http://127.0.0.1:4566")

    assert found.text == "The local environment does not answer at http://127.0.0.1:4566."
    assert found.command.endswith("etl local deploy")
    assert "etl local start && " in found.command


def test_a_local_environment_with_an_error_is_still_checked() -> None:
    found = look({"sts.GetCallerIdentity": RefusalError("InternalFailure")}, endpoint="http://127.0.0.1:4566")

    assert [finding.level for finding in found[:2]] == ["problem", "ok"]
    assert found[-1].about == "gaps"


def test_without_a_change_time_a_later_run_leaves_no_gap() -> None:
    later = LedgerEntry("SUCCEEDED", Span(WINDOW.end - timedelta(hours=1), WINDOW.end))
    runs = [later, LedgerEntry("FAILED", Span(WINDOW.start, WINDOW.start + timedelta(hours=1)))]

    def gaps(*, whole: bool) -> str:
        return of_ledger(*(of_whole_table(runs) if whole else runs), watermark=None)["gaps"].level

    assert (gaps(whole=True), gaps(whole=False)) == ("ok", "problem")


def test_the_local_environment_is_said_to_be_one() -> None:
    region = look({}, endpoint="http://127.0.0.1:4566")[1]

    assert region.text == "eu-west-1, the local environment at http://127.0.0.1:4566"


WINDOW = Span(datetime(2026, 11, 4, 2, tzinfo=UTC), datetime(2026, 11, 5, 2, tzinfo=UTC))
MARK = Watermark(WINDOW.start, WINDOW.end)


def of_ledger(*entries: LedgerEntry, watermark: Watermark | None = MARK) -> dict[str, Finding]:
    found = ledger_findings(entries, watermark, NOW, timedelta(hours=26), Times(), ETL)
    return {finding.about: finding for finding in found}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("FAILED", "20261105T020000123Z failed at Load: TransientError"),
        ("ABORTED", "20261105T020000123Z was stopped at Load: TransientError"),
        ("TIMED_OUT", "20261105T020000123Z ran out of time at Load: TransientError"),
    ],
)
def test_a_last_run_that_did_not_succeed_is_a_problem(status: str, says: str) -> None:
    entry = LedgerEntry(status, WINDOW, run="20261105T020000123Z", stage="Load", error="TransientError")
    found = of_ledger(entry, watermark=Watermark(WINDOW.start, WINDOW.start))

    assert (found["last run"].level, found["last run"].text) == ("problem", says)
    assert found["last run"].command == "etl show 20261105T020000123Z"


def night(day: int, status: str = "SUCCEEDED", **more: Any) -> LedgerEntry:
    """The entry of the schedule's run of a night of November, with the window from the night before."""
    end = datetime(2026, 11, day, 2, tzinfo=UTC)
    given: dict[str, Any] = {"run": f"202611{day:02}T020000123Z", "started": end, "origin": "schedule"}
    return LedgerEntry(status, Span(end - timedelta(days=1, minutes=15), end), **given | more)


@pytest.mark.parametrize(
    ("entry", "number"),
    [
        ({"counts": {"untimed": 4}}, 4),
        ({"counts": {"untimed": 4}, "replayed": {"run": "replay", "untimed": 1}}, 1),
        ({"counts": {"untimed": 4}, "replayed": {"run": "replay", "untimed": 0}}, 0),
        ({"counts": {"rejected_transform": 4}}, 0),
    ],
)
def test_untimed_items_are_a_warning_until_corrected(entry: dict[str, Any], number: int) -> None:
    replay = night(5, replay="20261105T020000123Z", run="replay", counts={"untimed": 9})
    found = of_ledger(replay, night(5, "RUNNING"), night(5, **entry), night(4)).get("timestamps")

    if not number:
        assert found is None
        return
    assert found is not None
    assert found.level == "warning"
    assert f"{number} item" in found.text
    assert "without a time" in found.text
    assert found.command == "etl quarantine replay 20261105T020000123Z"


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [
        ({"counts": {"untimed": 4}}, {}, 4),
        ({"counts": {"untimed": 4}}, {"counts": {"untimed": 3}}, 1),
        ({"counts": {"untimed": 4}}, {"counts": {"untimed": 5}}, 0),
        ({"counts": {"untimed": 4}, "replayed": {"run": "20261104T090000000Z", "untimed": 1}}, {}, 1),
        ({"counts": {"untimed": 4}, "replayed": {"run": "20261104T090000000Z", "untimed": 0}}, {}, 0),
        ({"counts": {"untimed": 4}, "replayed": {"run": "20261105T090000000Z", "untimed": 4}}, {}, 0),
        ({"counts": {"untimed": 4}, "started": NOW - timedelta(days=31)}, {}, 0),
    ],
)
def test_items_timed_between_runs_are_a_warning_until_replayed(
    before: dict[str, Any], after: dict[str, Any], number: int
) -> None:
    runs = night(5, **after), night(4, **before)
    found = ledger_findings(runs, MARK, NOW, timedelta(hours=26), Times(), ETL)
    earlier = [each for each in found if each.about == "timestamps" and "20261104T" in each.text]

    assert [each.text.partition(" ")[0] for each in earlier] == ([str(number)] if number else [])
    assert [(each.level, each.command) for each in earlier] == (
        [("warning", "etl quarantine replay 20261104T020000123Z")] if number else []
    )


def backfill(first: float, last: float, status: str = "SUCCEEDED", **more: Any) -> LedgerEntry:
    """The entry of a run of a window of its own, from one day of November to another, started at 06:00 of the 5th."""
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    window = Span(begin + timedelta(days=first - 1), begin + timedelta(days=last - 1))
    given: dict[str, Any] = {"run": "fill", "started": NOW - timedelta(hours=2), "origin": "execution"}
    return LedgerEntry(status, window, **given | more)


MARKED = Watermark(datetime(2026, 11, 3, 1, 45, tzinfo=UTC), datetime(2026, 11, 4, 2, tzinfo=UTC))
FAILED = night(5, "FAILED", stage="Gate", error="QualityGateError")
REPLAY = LedgerEntry("SUCCEEDED", FAILED.window, replay=FAILED.run, run="replay", started=NOW, origin="execution")


@pytest.mark.parametrize(
    "since",
    [
        [backfill(1, 2)],
        [REPLAY],
        [backfill(4, 6, "FAILED", started=NOW - timedelta(hours=4)), backfill(1, 2)],
        [backfill(4, 6, "RUNNING")],
    ],
    ids=["another window", "replay", "failed", "running"],
)
def test_a_failed_scheduled_run_stays_a_problem(since: list[LedgerEntry]) -> None:
    found = of_ledger(*since[::-1], FAILED, night(4), watermark=MARKED)

    assert found["scheduled run"].level == "problem"
    assert found["scheduled run"].text.startswith("20261105T020000123Z failed at Gate: QualityGateError")
    assert "etl show 20261105T020000123Z" in found["scheduled run"].remedy
    assert found["scheduled run"].command == "etl run --start 2026-11-04T02:00:00Z --end 2026-11-05T02:00:00Z"


def test_a_failed_scheduled_run_loaded_since_is_a_warning() -> None:
    found = of_ledger(backfill(4, 5.5), FAILED, night(4), watermark=MARKED)

    assert (found["scheduled run"].level, found["scheduled run"].command) == ("warning", "etl show 20261105T020000123Z")
    assert "loaded its window" in found["scheduled run"].remedy
    assert found["gaps"].level == "ok"


def test_several_runs_may_load_the_window_together() -> None:
    halves = [backfill(4.5, 5.5, run="b"), backfill(4, 4.5, run="a")]

    assert of_ledger(*halves, FAILED, night(4), watermark=MARKED)["scheduled run"].level == "warning"
    assert of_ledger(halves[0], FAILED, night(4), watermark=MARKED)["scheduled run"].level == "problem"


def test_a_window_with_several_gaps_refers_to_the_list_of_gaps() -> None:
    found = of_ledger(backfill(4.3, 4.6), FAILED, night(4), watermark=MARKED)["scheduled run"]

    assert (found.level, found.command) == ("problem", "etl gaps")


def test_too_much_to_catch_up_on_refers_to_the_list_of_gaps() -> None:
    late = LedgerEntry("FAILED", None, run="", name="late", started=FAILED.started, stage="Plan", error="CatchUpError")
    found = of_ledger(backfill(1, 2), late, watermark=MARKED)["scheduled run"]

    assert (found.level, found.command) == ("problem", "etl gaps")
    assert found.text.startswith("late failed at Plan: CatchUpError")


@pytest.mark.parametrize(
    ("status", "level"), [("SUCCEEDED", "ok"), ("ABORTED", "problem"), ("TIMED_OUT", "problem"), ("UNKNOWN", "problem")]
)
def test_the_last_scheduled_run_is_found_behind_others(status: str, level: str) -> None:
    others = [backfill(1, 2, run=f"fill-{n}") for n in range(9)]

    assert of_ledger(*others, night(5, status), night(4), watermark=MARKED)["scheduled run"].level == level


@pytest.mark.parametrize(
    ("entry", "is_one"),
    [
        (night(5, origin=""), True),
        (night(5, origin="", started=NOW - timedelta(hours=5)), True),
        (backfill(4, 5, origin=""), False),
        (night(5, origin="", replay="20261104T020000123Z"), False),
        (night(5, origin="event"), False),
        (LedgerEntry("FAILED", None, started=NOW, error="ConfigurationError"), True),
        (LedgerEntry("FAILED", None, started=NOW, error="CatchUpError"), True),
        (LedgerEntry("FAILED", None, started=NOW, error="InputError"), False),
    ],
    ids=["default window", "started late", "backfill", "replay", "event", "no window", "too much", "wrong input"],
)
def test_an_entry_without_an_origin_is_judged_by_its_window(entry: LedgerEntry, is_one: bool) -> None:
    assert entry.is_scheduled is is_one


def test_runs_without_an_end_are_told_wherever_they_stand() -> None:
    stuck = backfill(1, 2, "UNKNOWN", run="stuck")
    found = of_ledger(night(5), stuck, night(4))

    assert (found["no end"].level, found["no end"].command) == ("warning", "etl runs --status unknown")
    assert "stuck" in found["no end"].text
    assert found["gaps"].level == "problem"  # nothing says that its window was loaded


def test_a_running_run_is_well_and_an_endless_one_is_not() -> None:
    entries = [LedgerEntry(status, WINDOW, started=NOW) for status in ("RUNNING", "UNKNOWN")]
    levels = {entry.status: of_ledger(entry)["last run"].level for entry in entries}

    assert levels == {"RUNNING": "ok", "UNKNOWN": "problem"}


def test_a_watermark_may_be_so_old_and_no_older() -> None:
    def age(hours: int) -> Finding:
        end = NOW - timedelta(hours=hours)
        return of_ledger(watermark=Watermark(end, end))["watermark"]

    assert age(26).level == "ok"
    assert age(27).level == "problem"
    assert age(27).text == "2026-11-04 05:00:00 UTC, 27 h 00 min ago: data are late, 26 h are allowed"


@pytest.mark.parametrize(
    ("last", "level"),
    [
        (LedgerEntry("FAILED", None, name="event", error="InputError"), "warning"),
        (LedgerEntry("FAILED", None, name="night", error="CatchUpError"), "problem"),
        (LedgerEntry("FAILED", None, name="night", error="ConfigurationError"), "problem"),
        (LedgerEntry("ABORTED", Span(WINDOW.start, WINDOW.end), name="again"), "warning"),
        (LedgerEntry("ABORTED", None, name="replay", replay="20261105T020000123Z"), "warning"),
        (LedgerEntry("ABORTED", Span(WINDOW.start - timedelta(days=9), WINDOW.end), name="further"), "problem"),
        (LedgerEntry("ABORTED", None, name="at its very start"), "problem"),
        (LedgerEntry("FAILED", Span(WINDOW.start, WINDOW.end), name="again", error="ConfigurationError"), "problem"),
    ],
    ids=lambda given: f"{given.status} {given.error} {given.name}" if isinstance(given, LedgerEntry) else given,
)
def test_a_stopped_last_run_without_missing_time_is_a_warning(last: LedgerEntry, level: str) -> None:
    found = of_ledger(last, LedgerEntry("SUCCEEDED", WINDOW, run="night", origin="schedule"))

    assert found["last run"].level == level
    assert found["last run"].command == f"etl show {last.name if ' ' not in last.name else repr(last.name)}"


def test_gaps_are_a_problem() -> None:
    before = Span(WINDOW.start - timedelta(days=9), WINDOW.start - timedelta(days=8))
    found = of_ledger(LedgerEntry("SUCCEEDED", WINDOW), LedgerEntry("FAILED", before))["gaps"]

    assert (found.level, found.command) == ("problem", "etl gaps")
    assert "1 gap" in found.text
    assert "2026-10-26 02:00:00 UTC" in found.text


def printed(findings: list[Finding], width: int, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    print_findings(Terminal(file=stream, width=width, force_terminal=terminal), findings)
    return stream.getvalue()


def test_the_example_of_the_documentation() -> None:
    failed = run_item(5, status="FAILED", stage="Gate", error="QualityGateError")
    changes: dict[str, Answer] = {
        "eventbridge.DescribeRule": {"State": "DISABLED"},
        "dynamodb.Query": {"Items": [run_item(4), failed]},
        "dynamodb.GetItem": {"Item": watermark_item(4)},
    }

    assert printed(look(changes), 80) == example("etl doctor")


def test_a_terminal_has_its_width_and_commands_are_not_broken() -> None:
    command = "etl show " + "x" * 90
    shown = printed([Finding("last run", "problem", "word " * 30, "Do this. " * 9, command)], 80, terminal=True)
    lines = Text.from_ansi(shown).plain.splitlines()

    assert [line.strip() for line in lines if len(line) > 80] == [command]
    assert len(lines) > 5


def test_without_findings_to_act_upon_all_is_well() -> None:
    assert printed([Finding("gaps", "ok", "none")], 80) == "  ok       gaps           none\n\nAll is well.\n"


def test_warnings_alone_are_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws(well() | {"dynamodb.Query": {"Items": []}, "dynamodb.GetItem": {}})
    monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)

    done = CliRunner().invoke(app, ["doctor"])

    assert done.exit_code == 0
    assert done.stdout.endswith("\n2 warnings.\n")
    assert json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)["well"]


def test_without_credentials_the_command_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")

    no_keys = CliRunner().invoke(app, ["doctor", "--json", "--region", "eu-west-1"])
    no_profile = CliRunner().invoke(app, ["doctor", "--profile", "nobody"])

    assert no_keys.exit_code == no_profile.exit_code == 1
    document = json.loads(no_keys.stdout)
    assert not document["well"]
    assert [finding["about"] for finding in document["findings"]] == ["credentials"]
    assert "nobody" in no_profile.stdout


OTHERS = "arn:aws:dynamodb:eu-west-1:444455556666:table/orders"
ROLE = "arn:aws:iam::444455556666:role/reader"
EXISTING = {"EXISTING_SOURCE": "orders", "SOURCE_CURSOR": "updatedAt", "SOURCE_CURSOR_FORMAT": "epoch_ms"}
ORDERS = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "pk", "AttributeType": "S"},
    ],
}


def over_existing(changes: dict[str, Answer] | None = None, name: str = "orders", **variables: str) -> list[Finding]:
    """The findings in a pipeline over a table that the stack didn't make."""

    def answer(TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Table": ORDERS | {"TableStatus": "ACTIVE"}} if TableName == name else described(TableName)

    function = {"Environment": {"Variables": ENVIRONMENT | {"CONCURRENCY": "40"} | EXISTING | variables}}
    return look(
        {
            "cloudformation.DescribeStacks": stacks(stack(OUTPUTS | {"SourceTableName": name})),
            "lambda.GetFunctionConfiguration": FUNCTION | function,
            "dynamodb.DescribeTable": answer,
            "dynamodb.Scan": {"Items": []},
            **(changes or {}),
        }
    )


def not_ok(findings: list[Finding]) -> Finding:
    (found,) = [finding for finding in findings if finding.level != "ok"]
    return found


def test_an_existing_table_is_described() -> None:
    found = over_existing()

    assert {finding.level for finding in found} == {"ok"}
    (keys,) = [finding for finding in found if finding.about == "keys"]
    assert keys.text == "source pk (S), sk (N) with updatedAt as epoch_ms; destination id (S), timestamp (S)"


@pytest.mark.parametrize(
    ("operation", "refusal", "name", "says", "helps"),
    [
        ("DescribeTable", ("ResourceNotFoundException", ""), "orders", "There is no table orders", "source_table"),
        ("DescribeTable", ("AccessDeniedException", ""), "orders", "dynamodb:DescribeTable is denied", "user/oncall"),
        ("DescribeTable", ("AccessDeniedException", ""), OTHERS, OTHERS, "is in account 444455556666"),
        ("Scan", ("ValidationException", "Invalid FilterExpression: #x"), "orders", "#x", "source_filter"),
        (
            "Scan",
            ("AccessDeniedException", "User: u is not authorized to perform: kms:Decrypt on resource: k"),
            "orders",
            "kms:Decrypt is denied",
            "source_kms_key_arn",
        ),
    ],
)
def test_an_existing_table_that_cannot_be_read(
    operation: str, refusal: tuple[str, str], name: str, says: str, helps: str
) -> None:
    def answer(TableName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if TableName == name:
            raise RefusalError(*refusal)
        return described(TableName)

    found = not_ok(over_existing({f"dynamodb.{operation}": answer}, name))

    assert (found.about, found.level) == ("source", "problem")
    assert says in found.text
    assert helps in found.remedy


def test_a_table_of_another_account_is_read_by_its_role() -> None:
    asked: dict[str, Any] = {}

    def assume(**request: Any) -> dict[str, Any]:
        asked.update(request)
        secret = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": NOW}
        return {"Credentials": secret}

    variables = {"SOURCE_ROLE_ARN": ROLE, "SOURCE_ROLE_EXTERNAL_ID": "etl-1"}
    found = over_existing({"sts.AssumeRole": assume}, OTHERS, **variables)

    assert {finding.level for finding in found} == {"ok"}
    assert asked == {"RoleArn": ROLE, "RoleSessionName": "etl-doctor", "ExternalId": "etl-1"}


def test_a_role_that_cannot_be_assumed_is_named() -> None:
    found = not_ok(over_existing({"sts.AssumeRole": RefusalError("AccessDenied")}, OTHERS, SOURCE_ROLE_ARN=ROLE))

    assert (found.about, found.level) == ("source", "warning")
    assert ROLE in found.text
    assert "trust policy" in found.remedy


def test_an_unknown_time_zone_is_a_problem() -> None:
    found = not_ok(over_existing(SOURCE_CURSOR_FORMAT="iso_local", SOURCE_CURSOR_ZONE="Europe/Atlantis"))

    assert found.level == "problem"
    assert "Atlantis" in found.text
    assert "cdk deploy" in f"{found.remedy} {found.command}"


def test_a_transformation_that_does_not_fill_the_key_is_a_problem() -> None:
    def answer(TableName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Table": ORDERS | {"TableStatus": "ACTIVE"}} if "destination" in TableName else described(TableName)

    scanned = {"Items": [item(1, updatedAt={"N": "1705312800000"})]}
    found = not_ok(over_existing({"dynamodb.DescribeTable": answer, "dynamodb.Scan": scanned}, "etl-source-data"))

    assert (found.about, found.level) == ("transformation", "problem")
    assert "pk (S), sk (N)" in found.text
    assert found.command == "etl preview"
    assert "Item 1" not in found.text
