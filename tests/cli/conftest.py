"""What the tests of the command share: the deployed pipeline in memory, for commands that follow executions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from etl_cli.commands import backfill
from etl_cli.items import local_transformation
from etl_cli.render import live_run
from tests.fakes.state_machine import FakeStateMachine
from tests.support import PIPELINE, ROOT

_TRANSFORMATION = "transformation"
FILE = ROOT / PIPELINE / "transformation.py"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeStateMachine:
    """The state machine that the commands find; they look at it without a pause, and print on 80 columns."""
    made = FakeStateMachine()
    monkeypatch.setattr(boto3, "Session", lambda **_: made.aws.session)
    monkeypatch.setattr(live_run, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(backfill, "LOOK_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "80")
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A transformation file to edit: the suite's."""
    from tests.fakes.past_runs import edited

    return edited(tmp_path / "transformation.py")


@pytest.fixture(autouse=True)
def no_local_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout's own local environment has no say, whether it is up or not."""
    monkeypatch.setenv("ETL_LOCAL_DIR", "/nowhere/etl-local")


@pytest.fixture(autouse=True)
def suites_transformation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command and other tests find the suite's transformation, whichever files a test has loaded."""
    monkeypatch.setattr(local_transformation, "transformation_path", lambda *_: FILE)
    before = sys.modules.get(_TRANSFORMATION)
    yield
    if before:
        sys.modules[_TRANSFORMATION] = before
    else:
        sys.modules.pop(_TRANSFORMATION, None)
