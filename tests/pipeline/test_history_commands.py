"""The commands that look back, on the deployed pipeline: doctor, runs, show, gaps, logs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.stages import STATES
from etl_cli.app import app
from tests.pipeline.execution import Window, text
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline

# A doctor's findings about these depend on the runs of other tests.
OF_RUNS = {"last run", "watermark", "gaps", "dead letters"}


@pytest.fixture(autouse=True)
def shell(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell whose AWS variables point at the local environment."""
    for name, value in pipeline.deployed.environment.variables().items():
        monkeypatch.setenv(name, value)


def etl(*words: str, exits: tuple[int, ...] = (0,)) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code in exits, done.output
    return done.stdout


def document(*words: str, exits: tuple[int, ...] = (0,)) -> Any:
    return json.loads(etl(*words, "--json", exits=exits))


def test_a_run_is_listed_shown_and_logged(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(30))
    pipeline.put([pipeline.item("negative", window.at(1), value={"N": "-1"})])
    execution = pipeline.run(window.input)
    run = execution.run

    (listed,) = [each for each in document("runs", "--status", "succeeded")["runs"] if each["run"] == run]
    assert (listed["window"], listed["counts"]) == (window.input, execution.counts)

    shown = document("show", run)
    assert (shown["execution"], shown["links"]) == (execution.arn, {})
    assert set(shown["stages"]) == set(STATES)
    assert abs(sum(shown["stages"].values()) - shown["seconds"]) < 2
    assert all(line["holds"] for line in shown["balance"])
    assert float(shown["cost"]["total"]) > 0
    assert float(shown["predicted_cost"]["total"]) > 0
    assert "30 loaded, 1 rejected with its reason, nothing unaccounted for" in etl("show", execution.arn)

    lines = [json.loads(line) for line in etl("logs", "--run", run, "--json").splitlines() if line.startswith("{")]
    lines = [line for line in lines if "run" in line]
    assert [(line["action"], line["run"]) for line in lines] == [(stage.lower(), run) for stage in STATES]
    told = etl("logs", "load", "--run", run).splitlines()
    assert told[0].endswith(f"UTC  run {run}")
    # Lambda's lines of no run are shown too, and may be of a test that broke a worker a moment ago.
    own = [line for line in told if " finished " in line]
    assert [line.split()[1] for line in own] == ["load", "finish"]
    assert "30 loaded" in own[0]


def test_a_failed_run_has_a_remedy_until_it_is_covered(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(pipeline.item(f"{n}", window.at(n), value={"S": "x"}) for n in range(2))
    failed = pipeline.fail(window.input).arn.rpartition(":")[2]
    missing = [window.input]

    assert document("show", failed)["failure"]["missing"] == missing
    command = f"run --start {window.start} --end {window.end}"
    assert command in etl("show", failed)
    assert any(gap["start"] <= window.start < gap["end"] for gap in document("gaps", exits=(1,))["gaps"])
    assert "QualityGateError" in etl("logs", "transform", "--run", failed)

    pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(2))
    pipeline.ended(document(*command.split(), "--no-follow")["execution"])
    assert document("show", failed)["failure"]["missing"] == []
    assert "other runs have covered its window" in etl("show", failed)


def test_the_stack_is_well() -> None:
    found = document("doctor", exits=(0, 1))["findings"]

    others = OF_RUNS | {"scheduled run", "no end", "timestamps"}
    assert [finding for finding in found if finding["level"] != "ok" and finding["about"] not in others] == []
    assert {finding["about"] for finding in found} >= OF_RUNS


def test_a_failed_night_is_a_problem_until_it_is_loaded(pipeline: Pipeline, window: Window, ledger: Ledger) -> None:
    def scheduled_run() -> dict[str, Any]:
        (found,) = [each for each in document("doctor", exits=(0, 1))["findings"] if each["about"] == "scheduled run"]
        return dict(found)

    first, second = window.first + timedelta(days=1), window.first + timedelta(days=2)
    ledger.begin(window.first)
    pipeline.run({"time": text(first)})
    pipeline.put([pipeline.item("a", text(first), value={"S": "x"})])
    failed = pipeline.fail({"time": text(second)})
    pipeline.run({"start": text(window.first - timedelta(days=2)), "end": text(window.first - timedelta(days=1))})

    problem = scheduled_run()
    assert problem["level"] == "problem"
    assert f" failed at Gate: {failed.error}" in problem["text"]
    command = problem["command"].partition(" run ")[2]
    assert command == f"--start {text(first)} --end {text(second)}"

    pipeline.put([pipeline.item("a", text(first))])
    pipeline.ended(document("run", *command.split(), "--no-follow")["execution"])
    assert scheduled_run()["level"] == "warning"
    assert ledger.watermark() == text(second)
