"""Another key, another time and a filter of a deployed pipeline, by settings alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.pipeline.execution import Window
from tests.pipeline.pipeline import Pipeline
from tests.support import PROXIED, Deployed, SharedAssemblies

FILTER = {
    "expression": "begins_with(id, :start) AND #status <> :draft",
    "names": {"#status": "status"},
    "values": {":start": "ORDER#", ":draft": "DRAFT"},
}
SETTINGS = {
    "etl:pipelines": "tests/fixtures/as_it_is",
    "etl:source_cursor": r"audit.changed\.at",
    "etl:source_cursor_format": "epoch_ms",
    "etl:source_cursor_missing": "exclude",
    "etl:source_filter": json.dumps(FILTER),
    "etl:destination_keys": "#size of it.:N,id:S",
}
SIZE = "#size of it."


@pytest.fixture(scope="module")
def pipeline(make_environment: Callable[[], LocalEnvironment], assemblies: SharedAssemblies) -> Iterator[Pipeline]:
    environment = make_environment()
    environment.start(strict=True, settings=PROXIED)
    made = Deployed(environment, environment.clients(), assemblies.deploy(environment, SETTINGS))
    with closing(made.relays):
        yield Pipeline(made, "")


def item(name: str, milliseconds: int | None, size: str = "1", **more: Any) -> dict[str, Any]:
    time = {} if milliseconds is None else {"changed.at": {"N": str(milliseconds)}}
    return {"id": {"S": name}, "status": {"S": "PAID"}, SIZE: {"N": size}, "audit": {"M": time}, **more}


def destination(pipeline: Pipeline) -> dict[str, str]:
    """The sizes of the loaded items, by their ids."""
    scanned = pipeline.clients.dynamodb.scan(TableName=pipeline.deployed.destination_table)
    return {each["id"]["S"]: each[SIZE]["N"] for each in scanned["Items"]}


def test_a_pipeline_for_another_table_is_made_of_settings(pipeline: Pipeline, window: Window) -> None:
    start, end = int(window.first.timestamp()) * 1000, int(window.first.timestamp() + 86_400) * 1000
    pipeline.put(
        [
            item("ORDER#before", start - 1),
            item("ORDER#first", start, size="-1.5"),
            item("ORDER#last", end - 1, size="2"),
            item("ORDER#after", end),
            item("ORDER#draft", start, status={"S": "DRAFT"}),
            item("ORDER#without", None),
            item("ORDER#rejected", start, rejected={"BOOL": True}),
            item("USER#first", start),
            *(item(f"ORDER#{number}", start + number, size=f"{number}E-1") for number in range(60)),
        ]
    )

    execution = pipeline.run(window.input)

    loaded = {"ORDER#first": "-1.5", "ORDER#last": "2"} | {f"ORDER#{n}": f"{n / 10:g}" for n in range(60)}
    assert destination(pipeline) == loaded
    assert {name: execution.counts.get(name) for name in ("read", "loaded", "excluded", "rejected_transform")} == {
        "read": 64,
        "loaded": 62,
        "excluded": 1,
        "rejected_transform": 1,
    }

    corrected = pipeline.put([item("ORDER#rejected", start, size="7")])
    pipeline.run({"replay": execution.run})

    assert destination(pipeline) == loaded | {corrected[0]["id"]["S"]: "7"}


def test_a_filter_that_dynamodb_refuses_fails_the_run_with_its_words(pipeline: Pipeline, window: Window) -> None:
    client = pipeline.clients.session.client("lambda", **pipeline.clients.options)
    variables = client.get_function_configuration(FunctionName="etl-extract")["Environment"]["Variables"]
    wrong = {"SOURCE_FILTER": json.dumps({"expression": "status = :start", "values": {":start": "PAID"}})}
    client.update_function_configuration(FunctionName="etl-extract", Environment={"Variables": variables | wrong})
    try:
        execution = pipeline.fail(window.input)
    finally:
        client.update_function_configuration(FunctionName="etl-extract", Environment={"Variables": variables})

    assert execution.error == "ConfigurationError"
    assert "reserved keyword: status; correct source_filter" in execution.message
    assert execution.message.endswith("[filter-refused]")
