"""The stack's life with the real CDK CLI: switch to retain and back, destroy, deploy over the retained resources.

test_specification.py destroys a stack that retains nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from etl_cli.aws.place import Place
from etl_cli.doctor.checkup import Checkup
from etl_cli.doctor.findings import Finding
from etl_cli.local.environment import LocalEnvironment
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times
from tests.support import ROOT, SharedAssemblies

STACK = "EtlPipelineStack"
RETAIN = {"etl:removal_policy": "retain"}
STAGED = "extract/20240116T020000123Z/data.json"
TABLES = ["etl-destination-data", "etl-run-ledger", "etl-source-data"]


@pytest.fixture(scope="module")
def environment(make_environment: Callable[[], LocalEnvironment]) -> LocalEnvironment:
    """An environment that enforces the roles and the bucket's policy."""
    made = make_environment()
    made.start(strict=True)
    return made


def failures(environment: LocalEnvironment) -> list[str]:
    """Failures in the events of all stacks of this name."""
    cloudformation = environment.clients().cloudformation
    pages = cloudformation.get_paginator("list_stacks").paginate()
    stacks = [each["StackId"] for page in pages for each in page["StackSummaries"] if each["StackName"] == STACK]
    return [
        f"{event['LogicalResourceId']} {event['ResourceStatus']}: {event.get('ResourceStatusReason')}"
        for stack in stacks
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
        for event in page["StackEvents"]
        if event["ResourceStatus"].endswith("_FAILED")
    ]


def what_is_there(environment: LocalEnvironment, bucket: str) -> tuple[list[str], list[str]]:
    """Names of tables, and keys of objects; no bucket has none."""
    clients = environment.clients()
    buckets = [each["Name"] for each in clients.s3.list_buckets()["Buckets"]]
    objects = clients.s3.list_objects_v2(Bucket=bucket).get("Contents", []) if bucket in buckets else []
    tables = clients.dynamodb.list_tables()["TableNames"]
    return [name for name in tables if name.startswith("etl-")], [each["Key"] for each in objects]


def findings(environment: LocalEnvironment, about: str) -> list[Finding]:
    """Findings of `etl doctor`."""
    clients = environment.clients()
    place = Place(clients.session, clients.options)
    found = Checkup(place, EtlLines(), Times(), datetime.now(UTC), timedelta(hours=26)).findings()
    return [each for each in found if each.about == about]


def typed(environment: LocalEnvironment, line: str) -> None:
    """Type a line into a shell that uses the environment; at a terminal, a deployment asks before it grants."""
    unasked = line.replace("cdk deploy", "cdk deploy --require-approval never")
    done = subprocess.run(
        ["/bin/sh", "-ec", unasked.replace(" && ", "\n")],
        cwd=ROOT,
        env={**environment.environ(), "PATH": os.environ["PATH"], "CDK_DISABLE_VERSION_CHECK": "true", "CI": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_life_of_a_stack(environment: LocalEnvironment, assemblies: SharedAssemblies) -> None:
    bucket = assemblies.deploy(environment, RETAIN)["StagingBucketName"]
    environment.clients().s3.put_object(Bucket=bucket, Key=STAGED, Body=b"[\n]\n")

    for context in ({}, RETAIN):
        assemblies.deploy(environment, context)
        assert what_is_there(environment, bucket) == (TABLES, [STAGED])
    environment.destroy()
    assert failures(environment) == []
    assert what_is_there(environment, bucket) == (TABLES, [STAGED])

    with pytest.raises(UserError):
        assemblies.deploy(environment, {})
    assert bucket in findings(environment, "refused")[0].text
    keep, _ = findings(environment, "in the way")
    assert all(name in keep.text for name in (*TABLES, bucket))
    typed(environment, keep.command)
    assert what_is_there(environment, bucket) == (TABLES, [STAGED])
    assert findings(environment, "in the way") == []

    environment.destroy()
    with pytest.raises(UserError):
        assemblies.deploy(environment, {})
    _, delete = findings(environment, "in the way")
    typed(environment, delete.command)
    assert what_is_there(environment, bucket) == ([], [])

    assemblies.deploy(environment, {})
    assert what_is_there(environment, bucket) == (TABLES, [])
