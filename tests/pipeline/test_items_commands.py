"""The commands that look at single items, against the deployed pipeline: quarantine, explain, preview."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from etl_cli.app import app
from etl_cli.items import local_transformation
from etl_cli.items.local_transformation import LocalTransformation
from etl_cli.items.seed import make_items
from tests.docs.examples import tutorial
from tests.pipeline.execution import Window
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.transformations import deployed_transformation
from tests.support import PIPELINE, ROOT

DIGITS = "1.2345678912345678912345678912345678912"


@pytest.fixture(autouse=True)
def shell(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell whose AWS variables point at the local environment; `etl preview` takes the deployed transformation."""
    deployed = ROOT / PIPELINE / "transformation.py"
    monkeypatch.setattr(local_transformation, "transformation_path", lambda *_: deployed)
    for name, value in pipeline.deployed.environment.variables().items():
        monkeypatch.setenv(name, value)


def etl(*words: str, exits: int = 0) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == exits, done.output
    return json.loads(done.stdout)


def test_an_item_is_found_corrected_replayed_and_explained(pipeline: Pipeline, window: Window) -> None:
    every_type: dict[str, dict[str, Any] | None] = {
        "barcode": {"B": b"\x00\xff"},
        "digits": {"N": DIGITS},
        "tags": {"SS": ["a"]},
    }
    pipeline.put(pipeline.item(f"good{n}", window.at(n), **every_type) for n in range(40))
    pipeline.put(pipeline.item(f"bad{n}", window.at(50 + n), value={"S": "x"}) for n in range(2))
    good, bad, corrected = (f"{pipeline.token}{name}" for name in ("good1", "bad0", "bad1"))
    run = pipeline.run(window.input).run

    (listed,) = etl("quarantine", "list", "--run", run)["runs"]
    assert (listed["rejected"], listed["reasons"][0]["field"], listed["replayed"]) == (2, "value", None)
    (shown,) = etl("quarantine", "show", run, "--id", bad)["records"]
    assert shown["item"]["value"] == {"S": "x"}
    assert etl("explain", corrected)["outcome"] == "quarantined"

    pipeline.put([pipeline.item("bad1", window.at(51), value={"N": "5"})])
    replayed = etl("quarantine", "replay", run, exits=3)  # the other is as it was
    assert (replayed["counts"]["loaded"], replayed["counts"]["rejected_transform"]) == (1, 1)
    assert etl("quarantine", "list", "--run", run)["runs"][0]["replayed"]["run"] == replayed["run"]
    found = etl("explain", corrected)
    assert (found["outcome"], found["runs"][0]["run"]) == ("loaded", replayed["run"])
    assert found["destination"][0]["value"] == {"N": "5"}

    assert etl("explain", good)["destination_is_as_made"]
    differences = etl("preview", "--run", run, exits=3)["differences"]
    assert (differences["unchanged"], differences["changed"], differences["gone"]["count"]) == (40, 0, 0)
    (item,) = etl("preview", "--id", good)["items"]
    assert item["item"]["digits"] == item["records"][0]["record"]["digits"] == {"N": DIGITS}
    assert item["records"][0]["record"]["barcode"] == {"B": "AP8="}
    sampled = etl("preview", "--start", window.input["start"][:10], "--end", window.input["end"][:10], exits=3)
    assert (sampled["counts"]["records"], sampled["counts"]["rejected"]) == (41, 1)


@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("runs",),
        ("report", "{run}"),
        ("explain", "{id}"),
        ("preview", "--id", "{id}"),
        ("plan", "--start", "{start}", "--end", "{end}"),
        ("quarantine", "list", "--run", "{run}"),
    ],
    ids=lambda words: words[0],
)
def test_commands_without_aws_settings_find_the_environment(
    pipeline: Pipeline, window: Window, words: tuple[str, ...], tmp_path: Path
) -> None:
    pipeline.put([pipeline.item("one", window.at(1))])
    run, environment = pipeline.run(window.input).run, pipeline.deployed.environment
    plain = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ETL_LOCAL_DIR": str(environment.state_dir)}

    given = [word.format(run=run, id=f"{pipeline.token}one", **window.input) for word in words]
    done = subprocess.run(
        [ROOT / ".venv/bin/etl", *given, "--json"], env=plain, capture_output=True, text=True, check=False, timeout=60
    )

    endpoint = environment.variables()["AWS_ENDPOINT_URL"]
    assert done.stderr.splitlines()[0].startswith(f"Using the local environment at {endpoint}")
    assert json.loads(done.stdout), done.stderr
    # Other tests' runs have failed, and the transformation in pipelines/ may reject the item.
    assert done.returncode == 0 or words[0] in ("doctor", "preview")


def test_the_tutorials_transformation_takes_the_demos_items(
    pipeline: Pipeline, window: Window, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serialize, end = TypeSerializer().serialize, window.first + timedelta(days=1)
    orders: list[Any] = [{name: serialize(each) for name, each in item.items()} for item in make_items(300, end)]
    pipeline.put(order | {"id": {"S": f"{pipeline.token}{order['id']['S']}"}} for order in orders)
    file = tmp_path / "transformation.py"
    file.write_text(tutorial())
    monkeypatch.setattr(
        local_transformation,
        "LocalTransformation",
        lambda _, *given, **options: LocalTransformation(file, *given, **options),
    )

    whole = ("--start", window.start, "--end", window.end, "--sample", "1000")
    previewed = etl("preview", *whole, exits=3)["counts"]
    with deployed_transformation(pipeline, file.read_text()):
        execution = pipeline.run(window.input)

    counts = execution.output["counts"]
    assert (counts["loaded"], counts["rejected_transform"]) == (previewed["records"], previewed["rejected"])
    assert previewed["records"] >= 279  # of 300, 18 are late, and 3 are invalid
    assert next(iter(pipeline.destination().values())).keys() >= {"day", "large", "customer"}
