"""The README and the runbook, held against what is there: links, targets, and the commands, which are run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.pipeline import wait_for
from tests.support import ROOT, Deployed

PAGES = (
    *("README.md", "CONTRIBUTING.md"),
    *("docs/design.md", "docs/monitoring.md", "docs/operations.md", "docs/transformations.md"),
)
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
# Lines that other tests run, each in an environment of its own, and one for the other version of the AWS CLI.
ELSEWHERE = re.compile(
    r"^(make |cdk |eval |export (?:PATH|CDK_DISABLE_VERSION_CHECK)=|aws logs tail |etl doctor$).*", re.MULTILINE
)
RUN = "20240116T020000000Z"


def page(name: str) -> str:
    return (ROOT / name).read_text()


def blocks() -> Iterator[tuple[str, str]]:
    """The shell blocks of the README and the runbook, without the lines that run elsewhere."""
    for name in ("README.md", "docs/operations.md"):
        for number, block in enumerate(BLOCK.findall(page(name))):
            commands = ELSEWHERE.sub("", block)
            if commands.strip():
                yield f"{name}-{number}", commands


@pytest.mark.parametrize("name", PAGES)
def test_links_within_the_repository_lead_somewhere(name: str) -> None:
    missing = [link for link in LINK.findall(page(name)) if not ((ROOT / name).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_make_targets_that_are_named_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", page("Makefile"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", page(name), re.MULTILINE)) | set(
        re.findall(r"`make ([a-z]+)", page(name))
    )
    assert named <= targets


@pytest.fixture(scope="module")
def variables(deployed: Deployed) -> dict[str, str]:
    """A shell's environment with the variables that the pages take as given, and the objects that they look at."""
    key = f"quarantine/{RUN}/transform-0000-0000.json"
    deployed.clients.s3.put_object(Bucket=deployed.staging_bucket, Key=key, Body=b"[\n]\n")
    machine = deployed.state_machine_arn
    stepfunctions = deployed.clients.stepfunctions
    execution = stepfunctions.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    wait_for("a run", lambda: "stopDate" in stepfunctions.describe_execution(executionArn=execution))
    environ = deployed.environment.environ()
    return environ | {
        "PATH": f"{ROOT / '.venv/bin'}:{environ['PATH']}",
        "STATE_MACHINE_ARN": machine,
        "EXECUTION_ARN": execution,
        "STAGING_BUCKET": deployed.staging_bucket,
        "ACCOUNT": "000000000000",
        "REGION": "us-east-1",
    }


@pytest.mark.parametrize("commands", [pytest.param(commands, id=name) for name, commands in blocks()])
def test_documented_commands_run(commands: str, variables: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
