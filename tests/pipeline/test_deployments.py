"""A deployment in the middle of a run: other code ends the run, other settings don't hurt it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.pipeline.execution import Window
from tests.pipeline.interposer import Answer, Request
from tests.pipeline.ledger import Ledger
from tests.pipeline.modes import DISTRIBUTED, INLINE
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.transformations import FILE, FUNCTIONS, deploy
from tests.support import PIPELINE, ROOT

BOTH = pytest.mark.parametrize("maps", [INLINE, DISTRIBUTED], indirect=True)
TRANSFORMATION = (ROOT / PIPELINE / "transformation.py").read_text()
ENGINE = "etl/model/run.py"


@contextmanager
def in_the_middle(pipeline: Pipeline, deployment: Callable[[], object]) -> Iterator[None]:
    """Deploy when Extract reads the table: its invocation is running, and all later ones find the deployment."""
    begun = threading.Lock()

    def deploying(request: Request) -> Answer:
        if request.operation == "Scan" and begun.acquire(blocking=False):
            deployment()
        return request.forward()

    with pipeline.interposed("etl-extract", "DYNAMODB", deploying):
        yield


def put(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(pipeline.item(f"{number}", window.at(number)) for number in range(30))


@BOTH
def test_a_deployment_ends_the_run_and_the_next_covers_it(pipeline: Pipeline, window: Window, ledger: Ledger) -> None:
    put(pipeline, window)
    others = ("etl-transform", "etl-load")
    try:
        with in_the_middle(pipeline, lambda: deploy(pipeline, {FILE: TRANSFORMATION + "\n# edited\n"}, others)):
            execution = pipeline.fail(window.input)
        deploy(pipeline, {FILE: TRANSFORMATION + "\n# edited\n"})

        assert execution.error == "CodeChangedError"
        assert "a deployment came in between. Start a new run of the window" in execution.message
        entry = ledger.entry(execution.arn)
        assert (entry["stage"], entry["error"]) == ("Transform", "CodeChangedError")
        assert pipeline.loaded_names() == set()

        pipeline.run(window.input)
    finally:
        deploy(pipeline, {})
    assert pipeline.loaded_names() == {f"{number}" for number in range(30)}


@BOTH
def test_a_run_begins_only_with_its_own_definition(pipeline: Pipeline, window: Window) -> None:
    """CloudFormation updates functions first, and the state machine, which needs them, afterwards."""
    put(pipeline, window)
    try:
        deploy(pipeline, {ENGINE: (ROOT / "runtime" / ENGINE).read_text() + "\n# edited\n"})
        execution = pipeline.fail(window.input)
    finally:
        deploy(pipeline, {})

    assert execution.error == "CodeChangedError"
    assert "a deployment was in progress when this run started" in execution.message
    assert pipeline.loaded_names() == set()


def test_other_settings_in_the_middle_leave_the_run_right(pipeline: Pipeline, window: Window) -> None:
    put(pipeline, window)
    before = {name: pipeline.clients.lambda_.get_function_configuration(FunctionName=name) for name in FUNCTIONS[1:]}
    changed = {"PART_BYTES": "1024", "RECORD_SECONDS": "3", "MAX_WRITE_UNITS_PER_SECOND": "1000", "LOG_LEVEL": "DEBUG"}

    def configure(more: dict[str, str]) -> None:
        for name, found in before.items():
            variables = found["Environment"]["Variables"] | more
            pipeline.clients.lambda_.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}, MemorySize=1024 if more else 512
            )

    try:
        with in_the_middle(pipeline, lambda: configure(changed)):
            execution = pipeline.run(window.input)
    finally:
        configure({})

    assert len(pipeline.parts("transform", execution)) > 1
    assert pipeline.loaded_names() == {f"{number}" for number in range(30)}
