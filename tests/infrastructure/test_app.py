"""app.py as the CDK CLI runs it, and the checkout's cdk.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from serverless_app.jsii_cache import cache_is_usable
from serverless_app.stacks import etl_pipeline_stack
from serverless_app.stacks.etl_pipeline_stack import EtlPipelineStack
from tests.infrastructure.synthesis import ROOT, Synthesized


def cdk(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "node_modules" / ".bin" / "cdk"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_app_has_the_lines_of_the_specification() -> None:
    lines = [line.strip() for line in (ROOT / "app.py").read_text().splitlines()]

    assert "from serverless_app.stacks.etl_pipeline_stack import EtlPipelineStack" in lines
    assert 'EtlPipelineStack(app, "EtlPipelineStack")' in lines


def test_the_stack_file_has_the_cron_of_the_specification() -> None:
    """The specification tells users to change the hour there."""
    source = (ROOT / "serverless_app" / "stacks" / "etl_pipeline_stack.py").read_text()

    assert "events.Schedule.cron(" in source
    for line in ('minute="0",', 'hour="2",', 'day="*",', 'month="*",', 'year="*",'):
        assert line in source


NO_HOME = "/dev/null/nowhere"


def test_cdk_synth_gives_the_tested_stack_in_any_environment(
    stack: Synthesized, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs no home folder, and no variable of Python's has an effect."""
    for name in ("aws_cdk", "constructs", "serverless_app"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong package')")
    # Without its package cache the CDK unpacks all of its packages, which takes 12 seconds.
    monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path("~/.cache/aws/jsii/package-cache").expanduser()))
    monkeypatch.setenv("HOME", NO_HOME)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")

    done = cdk("synth", "--quiet", "EtlPipelineStack", "--output", str(tmp_path / "out"))

    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "EtlPipelineStack.template.json").read_text()) == stack.template


@pytest.mark.parametrize(("first", "works"), [("serverless_app.jsii_cache", True), ("sys", False)])
def test_packages_are_imported_without_a_home(first: str, works: bool) -> None:
    # `constructs` is a small package of the kind that `aws_cdk` is.
    done = subprocess.run(
        [sys.executable, "-c", f"import {first}, constructs"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": NO_HOME},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) == works, done.stderr


def test_package_cache_is_used_where_it_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert cache_is_usable(tmp_path)
    assert cache_is_usable(tmp_path / ".cache" / "aws")
    assert not cache_is_usable(tmp_path / "file" / ".cache")


def test_cdk_synth_ends_with_one_clear_line_for_a_wrong_setting(tmp_path: Path) -> None:
    done = cdk("synth", "--output", str(tmp_path), "--context", "etl:concurrency=8000")

    assert done.returncode != 0
    assert "error: concurrency must be a whole number of workers from 1 to 1000" in done.stderr
    assert "Traceback" not in done.stderr


def test_commands_that_need_no_code_do_not_bundle_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cdk destroy` must work without the package index."""

    def refuse(*_: Any) -> Path:
        raise AssertionError("bundled")

    monkeypatch.setattr(etl_pipeline_stack, "bundle", refuse)
    app = App(outdir=str(tmp_path), context={"aws:cdk:bundling-stacks": []})

    EtlPipelineStack(app, "EtlPipelineStack")
