"""`etl plan` before a run of the deployed pipeline, and the run that comes then."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.pipeline.execution import text
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline
from tests.support import ROOT

SECOND = timedelta(seconds=1)


def plan(pipeline: Pipeline) -> Any:
    """The output of `etl plan --json`."""
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "etl", "plan", "--json"],
        env=pipeline.deployed.environment.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def instants(window: dict[str, str]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"])


def test_the_plan_is_that_of_the_run_that_comes_then(pipeline: Pipeline, ledger: Ledger) -> None:
    pipeline.put([pipeline.item(f"{number}", text(datetime.now(UTC) - timedelta(hours=1))) for number in range(20)])
    watermark = (datetime.now(UTC) - timedelta(days=3)).replace(microsecond=0)
    ledger.begin(watermark)

    planned = plan(pipeline)
    execution = pipeline.run({})

    start, end = instants(planned["window"])
    run_start, run_end = instants(execution.output["window"])
    assert start == run_start == watermark - timedelta(minutes=15)
    assert timedelta(0) <= run_end - end < 60 * SECOND
    assert planned["segments"] == execution.output["segments"]
    assert planned["table"]["items"] == pipeline.source_count()
    assert planned["fits"]

    # The next run is expected to find the same as this one.
    expected = plan(pipeline)["expected"]
    assert expected["from_runs"] == planned["expected"]["from_runs"] + 1 or expected["from_runs"] == 10
    assert expected["items_per_hour"] is not None
