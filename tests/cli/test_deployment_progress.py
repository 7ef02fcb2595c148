"""What the CDK CLI prints, as progress."""

from __future__ import annotations

from etl_cli.local.deployment_progress import DeploymentProgress

EVENT = "EtlPipelineStack | {}/29 | 8:41:11 PM | {}         | AWS::SQS::Queue                  | DeadLetters (DeadL)"


def follow(*lines: str) -> tuple[list[tuple[str, float | None]], str]:
    shown: list[tuple[str, float | None]] = []
    progress = DeploymentProgress(lambda detail, done: shown.append((detail, done)))
    for line in lines:
        progress.take(line)
    return shown, progress.outcome


def test_a_first_deployment() -> None:
    shown, outcome = follow(
        "⏳  Bootstrapping environment aws://000000000000/us-east-1...",
        "CDKToolkit |  3/15 | 8:40:59 PM | CREATE_COMPLETE         | AWS::IAM::Role             | FilePublishingRole",
        "✅  Environment aws://000000000000/us-east-1 bootstrapped.",
        "Synthesizing the template",
        "✨  Synthesis time: 9.35s",
        "EtlPipelineStack: start: Publishing Extract/Function/Code (current_account-current_region-b51e7a2e)",
        "EtlPipelineStack: creating CloudFormation changeset...",
        "EtlPipelineStack: deploying... [1/1]",
        EVENT.format(" 5", "CREATE_COMPLETE"),
        EVENT.format("29", "CREATE_COMPLETE"),
        "✅  EtlPipelineStack",
    )

    assert shown == [
        ("starting the CDK CLI", None),
        ("bootstrapping", None),
        ("synthesizing the template", None),
        ("publishing the functions' code", None),
        ("comparing with what is deployed", None),
        ("5 of 29 resources", 5 / 29),
        ("29 of 29 resources", 1.0),
    ]
    assert outcome == "created"


def test_a_deployment_that_changes_something() -> None:
    assert follow(EVENT.format("1", "UPDATE_COMPLETE"), EVENT.format("2", "CREATE_COMPLETE"))[1] == "updated"


def test_a_deployment_that_changes_nothing() -> None:
    assert follow("✨  Synthesis time: 0.1s", "✅  EtlPipelineStack (no changes)")[1] == "no changes"
