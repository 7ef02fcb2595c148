"""Nothing here calls home: neither the CDK CLI nor the set-up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from aws_cdk import App, CfnWaitConditionHandle, Stack

from tests.infrastructure.synthesis import ROOT

# Notes each name that a process of Node.js looks up, and each address that it connects to.
WITNESS = """
    const fs = require("fs"), net = require("net"), dns = require("dns");
    const note = (what) => fs.appendFileSync(process.env.WITNESS, what + "\\n");
    const connect = net.Socket.prototype.connect, lookup = dns.lookup;
    net.Socket.prototype.connect = function (...given) {
        const options = Array.isArray(given[0]) ? given[0][0] : given[0];
        if (options && typeof options === "object" && options.port) note(options.host + ":" + options.port);
        return connect.apply(this, given);
    };
    dns.lookup = function (name, ...given) { note(name); return lookup.call(this, name, ...given); };
    note("loaded");
"""
# The CDK CLI leaves what it tells of its use to a process that begins when it ends.
SENDER_SECONDS = 4


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the checkout's cdk.json, and an app that is synthesized already."""
    app = App(outdir=str(tmp_path / "assembly"))
    CfnWaitConditionHandle(Stack(app, "Stack"), "Handle")
    app.synth()
    settings = json.loads((ROOT / "cdk.json").read_text()) | {"app": "assembly"}
    (tmp_path / "cdk.json").write_text(json.dumps(settings))
    (tmp_path / "witness.cjs").write_text(WITNESS)
    return tmp_path


def contacts(project: Path) -> list[str]:
    """Whom `cdk synth` contacts in a project, as it is typed."""
    witnessed = project / "witnessed"
    unset = ("CDK_DISABLE_CLI_TELEMETRY", "CDK_DISABLE_VERSION_CHECK", "CI")
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {
        "CDK_HOME": str(project / "home"),
        "NODE_OPTIONS": f"--require {project / 'witness.cjs'}",
        "WITNESS": str(witnessed),
    }
    command = [str(ROOT / "node_modules" / ".bin" / "cdk"), "synth", "--quiet"]
    subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True, timeout=120)
    deadline = time.monotonic() + SENDER_SECONDS
    found: list[str] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.1)
        first, *others = witnessed.read_text().splitlines()
        assert first == "loaded"
        found = [other for other in others if other != "loaded"]
    return found


def test_the_cdk_cli_contacts_nobody(project: Path) -> None:
    assert contacts(project) == []


@pytest.mark.parametrize("setting", ["cli-telemetry", "notices"])
def test_without_its_setting_it_would(project: Path, setting: str) -> None:
    settings = json.loads((project / "cdk.json").read_text())
    settings.pop(setting, None)
    settings["context"].pop(setting, None)
    (project / "cdk.json").write_text(json.dumps(settings))

    assert contacts(project)


@pytest.mark.parametrize("folder", [".", "tests/browser"])
def test_installing_runs_no_scripts_of_packages(folder: str) -> None:
    npm = ["npm", "config", "get", "ignore-scripts"]
    shown = subprocess.run(npm, cwd=ROOT / folder, capture_output=True, text=True, check=True)
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if re.search(r"npm\S* ci ", line)]

    assert shown.stdout.strip() == "true"
    assert len(installs) == 2
    assert all("requirements/npm.sh ci" in line for line in installs)
    assert "--ignore-scripts" in (ROOT / "requirements/npm.sh").read_text()
