"""A run keeps to the code that planned it: nothing that another version has written is interpreted."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from etl import extract, load, transform
from etl.invocation.code_version import STORES, check_code, code_version, engine_version
from etl.model.errors import CodeChangedError
from etl.model.run import Run
from etl.replay import plan_replay
from tests.fakes.pipeline import ENVIRONMENT, EXECUTION, Context, FakePipeline, plan_event
from tests.unit.builders import item

# A run as another version of the code may have made it: nothing but these four is where it is now.
OTHER = {"code": "0123456789abcdef", "timestamp": "20240116T020000123Z", "start": "S", "end": "E", "window": [1]}
WORKER = {"run": OTHER, "work": {"segment": "0-1", "counts": {"read": 7}}}
CHECKER = {"run": OTHER, "segments": {"0": {"read": 7}}, "gate": [], "finished_at": 1}
ACTIONS = [
    (extract.handler, "extract", WORKER),
    (transform.handler, "transform", WORKER),
    (transform.handler, "gate", CHECKER),
    (load.handler, "load", WORKER),
    (load.handler, "finish", CHECKER),
    (load.handler, "an action of that version", WORKER),
]


def refused(handler: Any, event: dict[str, Any], words: str) -> str:
    with pytest.raises(CodeChangedError, match=words) as raised:
        handler(event, Context())
    return str(raised.value)


@pytest.mark.parametrize(("handler", "action", "event"), ACTIONS)
def test_a_run_of_another_version_is_refused_before_it_is_read(
    handler: Any, action: str, event: dict[str, Any]
) -> None:
    with FakePipeline([]).deployed():
        message = refused(handler, {"action": action, **event}, "began with other code")

    assert "Start a new run of the window S to E" in message


@pytest.mark.parametrize(("handler", "action", "event"), ACTIONS)
def test_another_version_is_refused_before_settings_are_read(handler: Any, action: str, event: dict[str, Any]) -> None:
    with FakePipeline([]).deployed(), pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name)
        refused(handler, {"action": action, **event}, "began with other code")


@pytest.mark.parametrize("engine", [{}, {"engine": None}, {"engine": "0123456789abcdef"}])
def test_plan_refuses_a_workflow_deployed_with_other_code(engine: dict[str, Any]) -> None:
    event = {name: value for name, value in plan_event({}).items() if name != "engine"} | engine
    pipeline = FakePipeline([])
    with pipeline.deployed():
        refused(extract.handler, event, "Start the run again")

    assert not pipeline.s3.objects


def claimed(**changes: Any) -> FakePipeline:
    """A pipeline in which an attempt before, of another version, has written this run's manifest."""
    pipeline = FakePipeline([item(1)])
    manifest = OTHER | {"execution": EXECUTION["id"]} | changes
    pipeline.s3.objects["extract/20240116T020000123Z/run.json"] = json.dumps(manifest).encode()
    return pipeline


def test_a_retry_of_plan_refuses_a_manifest_of_another_version() -> None:
    with claimed().deployed():
        refused(extract.handler, plan_event({}), "began with other code")


def test_a_manifest_of_another_run_takes_only_the_id() -> None:
    with claimed(execution="arn:another").deployed():
        assert extract.handler(plan_event({}), Context())["run"]["timestamp"] == "20240116T020000124Z"


def test_a_run_is_refused_once_a_table_of_it_has_another_name() -> None:
    pipeline = FakePipeline([item(1)])
    with pipeline.deployed(), pytest.MonkeyPatch.context() as patch:
        run = extract.handler(plan_event({}), Context())["run"]
        patch.setenv(STORES, ENVIRONMENT[STORES].replace("destination", "renamed"))
        refused(extract.handler, {"action": "extract", "run": run, "work": {"segment": 0}}, "began with other code")


def test_the_quarantine_of_an_older_version_can_be_replayed() -> None:
    """Its manifest is one of the first release, with the code of that release."""
    pipeline = FakePipeline([])
    oldest = {
        "timestamp": "20240115T020000123Z",
        "start": "2024-01-14T00:00:00Z",
        "end": "2024-01-15T00:00:00Z",
        "time": "2024-01-15T02:00:00.123Z",
        "execution": "arn:older",
        "segments": 3,
        "code": "0123456789abcdef",
    }
    pipeline.s3.objects["extract/20240115T020000123Z/run.json"] = json.dumps(oldest).encode()
    pipeline.s3.objects["seals/quarantine/20240115T020000123Z/transform-0000-0000.json"] = b"{}"
    with pipeline.deployed():
        settings, _, staging, ledger = extract._adapters()
        started_at = datetime.fromisoformat(EXECUTION["started_at"])
        run, objects = plan_replay(oldest["timestamp"], started_at, staging, ledger, settings.concurrency)  # type: ignore[arg-type]

    assert (run.start, run.end, len(objects)) == (oldest["start"], oldest["end"], 1)


def zipped(folder: Path) -> Path:
    for name in ("etl/run.py", "pipeline/transformation.py", "msgspec/_version.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    "changed",
    ["etl/run.py", "pipeline/transformation.py", "pipeline/rates.toml", "etl/new.py", "msgspec/_version.py"],
)
def test_the_version_is_that_of_every_source_in_the_zip(tmp_path: Path, changed: str) -> None:
    before, same, after = (zipped(tmp_path / name) for name in ("before", "same", "after"))
    (after / changed).write_text("another")

    assert code_version("stores", before) == code_version("stores", same) != code_version("stores", after)
    assert (engine_version(after) == engine_version(before)) is changed.startswith("pipeline/")


@pytest.mark.parametrize("run", [None, "run", [], {}, {"code": ""}, {"code": "now"}])
def test_what_was_planned_by_this_code_or_is_no_run_passes(run: object) -> None:
    check_code(run, "now")


def test_the_version_is_short_and_the_same_in_every_function() -> None:
    first = code_version(ENVIRONMENT[STORES])

    assert len(first) == 16
    assert msgspec.convert(OTHER | {"time": "", "execution": "", "segments": 1}, Run).code == OTHER["code"]
    assert code_version(ENVIRONMENT[STORES]) == first
