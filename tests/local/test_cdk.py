"""The calls of the CDK CLI: when it synthesizes again, the place of its output, and its failures."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etl_cli.local.cdk import CdkRunner
from etl_cli.terminal.errors import UserError
from tests.local.processes import ends
from tests.support import ROOT

# Stands in for the CDK CLI: records its calls, and does as its environment says.
FAKE = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
echo "$PWD"
echo first line
eval "$DO"
while [ $# -gt 0 ]; do
  case "$1" in
    --output) mkdir -p "$2" && printf '%s' "$MANIFEST" >"$2/manifest.json" ;;
    --outputs-file) echo '{"Stack": {"Key": "value"}}' >"$2" ;;
  esac
  shift
done
"""
# An assembly has artifacts that are no stacks too.
MANIFEST = {
    "artifacts": {
        "Stack": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "Stack.template.json"}},
        "Other": {"type": "aws:cloudformation:stack", "properties": {"stackName": "Other-dev"}},
        "Stack.assets": {"type": "cdk:asset-manifest", "properties": {"file": "Stack.assets.json"}},
        "Tree": {"type": "cdk:tree"},
    }
}


class Checkout:
    """A checkout with a stand-in for the CDK CLI."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.state_dir = folder / "state"
        self.calls_file = folder / "calls"
        self.lines: list[str] = []
        command = self.root / "node_modules" / ".bin" / "cdk"
        command.parent.mkdir(parents=True)
        command.write_text(FAKE)
        command.chmod(0o755)
        (self.state_dir / "cdk-home").mkdir(parents=True)
        (self.root / "app.py").write_text("app")

    def runner(self, do: str = "") -> CdkRunner:
        environment = {"PATH": os.environ["PATH"], "CALLS": str(self.calls_file), "DO": do}
        environment["MANIFEST"] = json.dumps(MANIFEST)
        return CdkRunner(self.root, self.state_dir, environment, self.lines.append)

    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_deploy_synthesizes_with_the_context_in_the_state_folder(checkout: Checkout) -> None:
    outputs = checkout.runner().deploy(["Stack"], {"etl:a": "1", "etl:b": "x y"})

    assert outputs == {"Stack": {"Key": "value"}}
    (call,) = checkout.calls()
    assert call.startswith("deploy Stack --require-approval never")
    assert f"--output {checkout.state_dir}/cdk.out --context etl:a=1 --context etl:b=x y" in call
    assert checkout.lines == ["Synthesizing the template", str(checkout.root), "first line"]


def test_bootstrap_runs_outside_the_checkout(checkout: Checkout) -> None:
    checkout.runner().bootstrap()

    assert checkout.calls()[0].startswith("bootstrap aws://000000000000/us-east-1")
    assert checkout.lines[0] == str(checkout.state_dir / "cdk-home")


def test_unchanged_checkout_is_deployed_without_a_synthesis(checkout: Checkout) -> None:
    checkout.runner().deploy(["Stack"], {"etl:a": "1"})
    (checkout.root / "tests").mkdir()
    (checkout.root / "tests" / "test.py").write_text("")
    (checkout.root / ".hidden").mkdir()
    (checkout.root / ".hidden" / "file").write_text("")

    checkout.runner().deploy(["Stack"], {"etl:a": "1"})

    assert f"--app {checkout.state_dir}/cdk.out" in checkout.calls()[1]
    assert "--context" not in checkout.calls()[1]


@pytest.mark.parametrize("change", ["content", "new", "removed", "renamed", "context", "yours"])
def test_changed_checkout_is_synthesized_again(checkout: Checkout, change: str) -> None:
    extra = checkout.root / "lib" / "extra.txt"
    extra.parent.mkdir()
    extra.write_text("1")
    checkout.runner().deploy(["Stack"], {"etl:a": "1"})

    if change == "content":
        (checkout.root / "app.py").write_text("App")
    elif change == "new":
        (checkout.root / "new").write_text("")
    elif change == "removed":
        extra.unlink()
    elif change == "renamed":
        extra.rename(extra.with_name("other.txt"))
    elif change == "yours":  # in a pipeline's folder that has the name of one of ours
        yours = checkout.root / "yours" / "docs" / "transformation.py"
        yours.parent.mkdir(parents=True)
        yours.write_text("")
    checkout.runner().deploy(["Stack"], {"etl:a": "2" if change == "context" else "1"})

    assert "--output" in checkout.calls()[1]
    assert "--app" not in checkout.calls()[1]


def test_failed_deployment_is_synthesized_again(checkout: Checkout) -> None:
    with pytest.raises(UserError):
        checkout.runner("exit 1").deploy(["Stack"], {})

    checkout.runner().deploy(["Stack"], {})

    assert "--output" in checkout.calls()[1]


def test_destroy_takes_the_template_that_was_deployed(checkout: Checkout) -> None:
    checkout.runner().deploy(["Stack"], {"etl:a": "1"})
    (checkout.root / "app.py").write_text("does not synthesize any more")

    checkout.runner().destroy({"Stack": "Stack"}, {"etl:a": "2"})

    assert checkout.calls()[1].startswith(f"destroy Stack --force --app {checkout.state_dir}/cdk.out")


@pytest.mark.parametrize(
    ("stacks", "synthesizes"),
    [
        ({"Stack": "Stack", "Other": "Other-dev"}, False),
        ({"Other": "Other-prod"}, True),
        ({"Stack": "Stack", "Another": "Another"}, True),
    ],
)
def test_stacks_that_the_assembly_lacks_are_synthesized(
    checkout: Checkout, stacks: dict[str, str], synthesizes: bool
) -> None:
    checkout.runner().deploy(["Stack"], {"etl:stage": "dev"})

    checkout.runner().destroy(stacks, {"etl:stage": "prod"})

    call = checkout.calls()[1]
    assert call.startswith(f"destroy {' '.join(stacks)} --force")
    assert ("--context etl:stage=prod" in call) is synthesizes


def test_other_stacks_of_an_unchanged_checkout_are_synthesized(checkout: Checkout) -> None:
    checkout.runner().deploy(["Stack"], {})

    checkout.runner().deploy(["Stack", "Other"], {})

    assert "--output" in checkout.calls()[1]


def test_failure_shows_the_last_lines(checkout: Checkout) -> None:
    with pytest.raises(UserError) as raised:
        checkout.runner("for n in $(seq 50); do echo line $n; done; echo reason >&2; exit 3").deploy(["Stack"], {})

    assert "`cdk deploy` failed with exit code 3" in raised.value.message
    assert raised.value.lines[-3:] == ("line 49", "line 50", "reason")
    assert "line 9" not in raised.value.lines


def test_missing_cdk_cli_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"node_modules/\.bin/cdk") as raised:
        CdkRunner(tmp_path, tmp_path, {}).bootstrap()

    assert raised.value.remedy == "Install it: make setup"


def test_interrupted_deployment_leaves_no_process(checkout: Checkout, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"""
import sys
from pathlib import Path
from etl_cli.local.cdk import CdkRunner
environment = {json.dumps({"PATH": os.environ["PATH"], "CALLS": str(checkout.calls_file), "PID": str(pid_file)})}
environment["DO"] = 'echo $$ >"$PID"; sleep 60'
CdkRunner(Path(sys.argv[1]), Path(sys.argv[2]), environment).deploy(["Stack"], {{}})
"""
    command = [sys.executable, "-c", script, str(checkout.root), str(checkout.state_dir)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as child:
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        child.wait(timeout=10)

    assert ends(int(pid_file.read_text()))


def test_an_assembly_that_somebody_deleted_is_made_again(checkout: Checkout) -> None:
    checkout.runner().deploy(["Stack"], {})
    shutil.rmtree(checkout.state_dir / "cdk.out")

    checkout.runner().destroy({"Stack": "Stack"}, {})
    checkout.runner().deploy(["Stack"], {})
    assert (checkout.state_dir / "cdk.out" / "manifest.json").exists()
