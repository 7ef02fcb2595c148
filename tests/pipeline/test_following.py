"""Commands that start and follow runs, on the deployed pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from etl_cli.commands.backfill import backfill
from etl_cli.commands.watch import watch
from etl_cli.summary.backfill import attempt_name
from etl_cli.terminal.times import Span
from tests.pipeline.execution import Window
from tests.pipeline.pipeline import Pipeline


def document(command: Callable[..., None], *arguments: str) -> Any:
    """The JSON that a command prints; it must succeed."""
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, f"{result.stderr}{result.exception}"
    return json.loads(result.stdout)


def test_a_backfill_loads_each_window_once(pipeline: Pipeline, window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in pipeline.deployed.environment.variables().items():
        monkeypatch.setenv(name, value)
    pipeline.put([pipeline.item("morning", window.at(60)), pipeline.item("evening", window.at(20 * 60))])
    half = timedelta(hours=12)
    noon = window.first + half
    options = ("--from", window.start, "--to", window.end, "--step", "12h", "--parallel", "2")

    first = document(backfill, *options)
    second = document(backfill, *options)

    assert pipeline.loaded_names() == {"morning", "evening"}
    assert (first["done"], first["again"]) == (2, None)
    assert [each["execution"] for each in first["windows"]] == [
        attempt_name(Span(window.first, noon), 1),
        attempt_name(Span(noon, noon + half), 1),
    ]
    assert second["windows"] == first["windows"]
    report = document(watch, second["windows"][0]["execution"])
    assert (report["run"], report["window"]["end"]) == (second["windows"][0]["run"], window.at(12 * 60))
