"""Every action that a function's role is granted is needed: taken away, it is missed.

The local environment enforces policies in all tests of the deployed pipeline, so that none is missing either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.pipeline.execution import Execution, Window
from tests.pipeline.interposer import Answer, Request
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline, wait_for
from tests.support import Deployed

STAGES = ("extract", "transform", "load")


class Grant(NamedTuple):
    """One action on one resource: a pattern of keys in the staging bucket (those that may be listed for ListBucket), or
    the last part of another ARN.
    """

    stage: str
    action: str
    resource: str


SOURCE, DESTINATION, LEDGER = "table/etl-source-data", "table/etl-destination-data", "table/etl-run-ledger"

# Any run that has something to reject in Transform and in Load.
USED_BY_EVERY_RUN = (
    Grant("extract", "dynamodb:DescribeTable", SOURCE),
    Grant("extract", "dynamodb:Scan", SOURCE),
    Grant("extract", "s3:PutObject", "extract/*"),
    Grant("extract", "s3:PutObject", "seals/extract/*"),
    Grant("extract", "dynamodb:PutItem", LEDGER),
    Grant("transform", "s3:GetObject", "extract/*"),
    Grant("transform", "s3:GetObject", "seals/extract/*"),
    Grant("transform", "s3:GetObject", "transform/*/partials/*"),
    Grant("transform", "s3:GetObject", "seals/transform/*/partials/*"),
    Grant("transform", "s3:GetObject", "quarantine/*"),
    Grant("transform", "s3:GetObject", "seals/quarantine/*"),
    Grant("transform", "s3:PutObject", "transform/*"),
    Grant("transform", "s3:PutObject", "seals/transform/*"),
    Grant("transform", "s3:PutObject", "quarantine/*"),
    Grant("transform", "s3:PutObject", "seals/quarantine/*"),
    Grant("load", "dynamodb:BatchWriteItem", DESTINATION),
    Grant("load", "s3:GetObject", "transform/*"),
    Grant("load", "s3:GetObject", "seals/transform/*"),
    Grant("load", "s3:GetObject", "quarantine/*"),
    Grant("load", "s3:GetObject", "seals/quarantine/*"),
    Grant("load", "s3:PutObject", "quarantine/*"),
    Grant("load", "s3:PutObject", "seals/quarantine/*"),
    Grant("load", "dynamodb:UpdateItem", LEDGER),
)
USED_BY_A_REPLAY = (
    Grant("extract", "s3:ListBucket", "seals/quarantine/*"),
    Grant("extract", "s3:GetObject", "seals/quarantine/*"),
    Grant("extract", "s3:GetObject", "quarantine/*"),
    Grant("extract", "s3:GetObject", "extract/*/replayed.json"),
    Grant("extract", "s3:GetObject", "seals/extract/*/replayed.json"),
    Grant("extract", "dynamodb:BatchGetItem", SOURCE),
)
USED_BY_A_DEFAULT_WINDOW = Grant("extract", "dynamodb:GetItem", LEDGER)
USED_BY_A_PLAN_THAT_IS_TRIED_AGAIN = Grant("extract", "s3:GetObject", "extract/*/run.json")
USED_AFTER_A_FAILED_UPLOAD = (
    Grant("extract", "s3:AbortMultipartUpload", "extract/*"),
    Grant("transform", "s3:AbortMultipartUpload", "transform/*"),
    Grant("transform", "s3:AbortMultipartUpload", "quarantine/*"),
    Grant("load", "s3:AbortMultipartUpload", "quarantine/*"),
)
USED_BY_LAMBDA_TO_LOG = tuple(
    Grant(stage, action, f"log-group:/aws/lambda/etl-{stage}:*")
    for stage in STAGES
    for action in ("logs:CreateLogStream", "logs:PutLogEvents")
)
# The emulator has no X-Ray: tests/infrastructure/test_permissions.py holds these against the template.
USED_BY_LAMBDA_TO_TRACE = tuple(
    Grant(stage, action, "*") for stage in STAGES for action in ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
)


class RolePolicy:
    """The one policy of a function's role."""

    def __init__(self, deployed: Deployed, stage: str) -> None:
        self._iam, self._bucket = deployed.clients.iam, deployed.staging_bucket
        function = deployed.clients.lambda_.get_function_configuration(FunctionName=f"etl-{stage}")
        self._role = function["Role"].rpartition("/")[2]
        assert self._iam.list_attached_role_policies(RoleName=self._role)["AttachedPolicies"] == []
        [self._name] = self._iam.list_role_policies(RoleName=self._role)["PolicyNames"]
        self._stage = stage
        document: Any = self._iam.get_role_policy(RoleName=self._role, PolicyName=self._name)["PolicyDocument"]
        self._before: dict[str, Any] = document

    def grants(self) -> dict[Grant, dict[str, str]]:
        """Each single grant, and the statement that is it."""
        found = {}
        for statement in self._before["Statement"]:
            assert set(statement) - {"Condition"} == {"Effect", "Action", "Resource"}
            assert statement["Effect"] == "Allow"
            for action in _list(statement["Action"]):
                for resource in _list(statement["Resource"]):
                    name = resource.split(":", 5)[-1].removeprefix(f"{self._bucket}/")
                    if name == self._bucket:
                        assert statement["Condition"].keys() == {"StringLike"}
                        (name,) = _list(statement["Condition"]["StringLike"]["s3:prefix"])
                    found[Grant(self._stage, action, name)] = statement | {"Action": action, "Resource": resource}
        return found

    @contextmanager
    def without(self, grant: Grant) -> Iterator[None]:
        """The role has all but this grant; it has its own policy again afterwards."""
        statements = self.grants()
        del statements[grant]
        self._put(self._before | {"Statement": list(statements.values())})
        try:
            yield
        finally:
            self._put(self._before)

    def _put(self, document: dict[str, Any]) -> None:
        self._iam.put_role_policy(RoleName=self._role, PolicyName=self._name, PolicyDocument=json.dumps(document))


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def without(pipeline: Pipeline, grant: Grant) -> Any:
    """A context in which the role of a function lacks a grant."""
    return RolePolicy(pipeline.deployed, grant.stage).without(grant)


def by_name(grant: Grant) -> str:
    """The name of a test's case."""
    return " ".join(grant)


def expect_denied(execution: Execution, grant: Grant) -> None:
    """The execution failed at once, and the cause names function and action."""
    assert execution.error == "ConfigurationError", execution.message
    assert f"/etl-{grant.stage} is not authorized to perform: {grant.action} " in execution.message
    assert "the function's role doesn't allow it" in execution.message


def test_every_grant_is_tested_here(deployed: Deployed) -> None:
    granted = [grant for stage in STAGES for grant in RolePolicy(deployed, stage).grants()]
    tested = (
        *USED_BY_EVERY_RUN,
        USED_BY_A_DEFAULT_WINDOW,
        *USED_BY_A_REPLAY,
        USED_BY_A_PLAN_THAT_IS_TRIED_AGAIN,
        *USED_AFTER_A_FAILED_UPLOAD,
        *USED_BY_LAMBDA_TO_LOG,
        *USED_BY_LAMBDA_TO_TRACE,
    )

    assert sorted(granted) == sorted(tested)


def test_a_run_of_some_of_each_succeeds(pipeline: Pipeline, window: Window) -> None:
    pipeline.put_some_of_each(window)

    counts = pipeline.run(window.input).counts

    assert (counts["loaded"], counts["rejected_transform"], counts["rejected_load"]) == (40, 1, 1)


@pytest.mark.parametrize("grant", USED_BY_EVERY_RUN, ids=by_name)
def test_a_run_fails_without(pipeline: Pipeline, window: Window, grant: Grant) -> None:
    pipeline.put_some_of_each(window)

    with without(pipeline, grant):
        execution = pipeline.fail(window.input)

    expect_denied(execution, grant)
    entry = Ledger(pipeline).entry(execution.arn)
    assert (entry["status"], entry["error"]) == ("FAILED", "ConfigurationError"), (
        "the ledger says so without a function"
    )


def test_the_watermark_cannot_be_asked_for_without(pipeline: Pipeline, window: Window) -> None:
    with without(pipeline, USED_BY_A_DEFAULT_WINDOW):
        execution = pipeline.fail({"time": window.end})
        pipeline.run(window.input)

    expect_denied(execution, USED_BY_A_DEFAULT_WINDOW)


@pytest.mark.parametrize("grant", USED_BY_A_REPLAY, ids=by_name)
def test_a_replay_fails_without(pipeline: Pipeline, window: Window, grant: Grant) -> None:
    pipeline.put_some_of_each(window)
    run = pipeline.run(window.input).run

    with without(pipeline, grant):
        execution = pipeline.fail({"replay": run})

    expect_denied(execution, grant)


def test_a_claim_with_a_lost_answer_is_read_again(pipeline: Pipeline, window: Window) -> None:
    lost: set[str] = set()

    def lose_the_first_answer(request: Request) -> Answer | None:
        answer = request.forward()
        claim = request.operation.startswith("PUT ") and request.operation.endswith("/run.json")
        if not claim or request.operation in lost:
            return answer
        lost.add(request.operation)
        return None

    with pipeline.interposed("etl-extract", "S3", lose_the_first_answer):
        with without(pipeline, USED_BY_A_PLAN_THAT_IS_TRIED_AGAIN):
            denied = pipeline.fail(window.input)
        pipeline.run(window.input)

    assert len(lost) == 2
    expect_denied(denied, USED_BY_A_PLAN_THAT_IS_TRIED_AGAIN)


@pytest.mark.parametrize("grant", USED_AFTER_A_FAILED_UPLOAD, ids=by_name)
def test_a_failed_upload_stays_without(pipeline: Pipeline, window: Window, grant: Grant) -> None:
    rejected_by_transform = (
        {"value": {"N": "-1"}} if grant.stage == "transform" and "quarantine" in grant.resource else {}
    )
    # More than the 5 MiB from which an object is uploaded in parts; the destination table takes none of them.
    pipeline.put(pipeline.largest_item(f"{n:02d}", window.at(n)) | rejected_by_transform for n in range(14))
    uploads = f"PUT /{pipeline.deployed.staging_bucket}/{grant.resource.removesuffix('*')}"

    def refuse_parts(request: Request) -> Answer:
        refused = request.operation.startswith(uploads) and len(request.body) > 1_000_000
        return Answer(400, {}, b"<Error><Code>InvalidPart</Code></Error>") if refused else request.forward()

    with pipeline.interposed(f"etl-{grant.stage}", "S3", refuse_parts):
        with without(pipeline, grant):
            execution = pipeline.fail(window.input)
            left = unfinished_uploads(pipeline, grant)
        assert "InvalidPart" in execution.message
        assert len(left) == 1
        pipeline.clients.s3.abort_multipart_upload(Bucket=pipeline.deployed.staging_bucket, **left[0])
        pipeline.fail(window.input)

    assert unfinished_uploads(pipeline, grant) == []


def unfinished_uploads(pipeline: Pipeline, grant: Grant) -> list[Any]:
    """The uploads that were begun below a prefix, and neither finished nor aborted."""
    bucket, prefix = pipeline.deployed.staging_bucket, grant.resource.removesuffix("*")
    found = pipeline.clients.s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix)
    return [{"Key": each["Key"], "UploadId": each["UploadId"]} for each in found.get("Uploads", [])]


@pytest.mark.parametrize("grant", USED_BY_LAMBDA_TO_LOG, ids=by_name)
def test_a_function_has_no_log_without(pipeline: Pipeline, window: Window, grant: Grant) -> None:
    with without(pipeline, grant):
        unlogged = pipeline.run(window.input)
    logged = pipeline.run(window.input)

    def look() -> str | None:
        pages = pipeline.clients.logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/etl-{grant.stage}"
        )
        log = "".join(event["message"] for page in pages for event in page["events"])
        return log if logged.run in log else None

    assert unlogged.run not in wait_for("the log of a run", look)


def test_the_bucket_refuses_what_comes_without_tls(deployed: Deployed) -> None:
    bucket, clients = deployed.staging_bucket, deployed.clients
    clients.iam.create_user(UserName="outsider")
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    clients.iam.put_user_policy(UserName="outsider", PolicyName="everything", PolicyDocument=document)
    key = clients.iam.create_access_key(UserName="outsider")["AccessKey"]
    s3 = clients.session.client(
        "s3",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        **deployed.clients.options,
    )

    s3.put_object(Bucket=bucket, Key="extract/outside.json", Body=b"")
    # The emulator's port speaks TLS alone; this is how a proxy in front of it tells of a request that came without.
    s3.meta.events.register("before-send.s3", _came_by_plain_http)
    with pytest.raises(ClientError, match=r"s3:PutObject .* explicit deny in a resource-based policy"):
        s3.put_object(Bucket=bucket, Key="extract/outside.json", Body=b"")
    with pytest.raises(ClientError, match=r"s3:GetObject .* explicit deny in a resource-based policy"):
        s3.get_object(Bucket=bucket, Key="extract/outside.json")
    clients.s3.delete_object(Bucket=bucket, Key="extract/outside.json")


def _came_by_plain_http(request: Any, **_: Any) -> None:
    request.headers["X-Forwarded-Proto"] = "http"
