"""The deployed pipeline in memory, for commands that follow executions."""

from __future__ import annotations

import boto3
import pytest

from etl_cli import backfill_session, following
from tests.cli.executions import StateMachine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> StateMachine:
    """The state machine that the commands find; they look at it without a pause, and print on 80 columns."""
    made = StateMachine()
    monkeypatch.setattr(boto3, "Session", lambda **_: made.aws.session)
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(backfill_session, "LOOK_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "80")
    return made
