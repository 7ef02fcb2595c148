"""cdk-nag's AwsSolutions pack."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

from tests.infrastructure.synthesis import Synthesized, nag_report


@pytest.mark.parametrize("name", ["stack", "distributed_stack", "tuned_stack"])
def test_no_finding_is_left_open(request: pytest.FixtureRequest, name: str) -> None:
    report = request.getfixturevalue(name).nag

    assert report["conclusion"] == "success"
    assert report["violations"] == []


@pytest.mark.parametrize("name", ["stack", "distributed_stack"])
def test_every_acknowledgement_is_needed(request: pytest.FixtureRequest, name: str) -> None:
    stack: Synthesized = request.getfixturevalue(name)

    found = {
        (each["acknowledgedAt"], each["acknowledgedId"], each["reason"]) for each in stack.nag["suppressedViolations"]
    }
    acknowledged = {(f"EtlPipelineStack/{each.path}", each.id, each.reason) for each in stack.acknowledged}

    assert found == acknowledged
    assert len(acknowledged) == len(stack.acknowledged)


def test_a_finding_that_is_not_acknowledged_fails_the_synthesis(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    s3.Bucket(Stack(app, "Plain"), "Bucket")

    with pytest.raises(RuntimeError, match="AwsSolutions::AwsSolutions-S1"):
        app.synth()

    assert nag_report(tmp_path)["conclusion"] == "failure"
    assert {each["ruleName"] for each in nag_report(tmp_path)["violations"]} == {"AwsSolutions-S1", "AwsSolutions-S10"}


def test_every_reason_is_a_sentence(distributed_stack: Synthesized) -> None:
    reasons = {each.reason for each in distributed_stack.acknowledged}

    assert all(len(reason) > 60 and reason.endswith(".") for reason in reasons)
