"""The command's memory, over runs with items of every shape."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bench.shapes import hostile_shapes, sized_shapes
from etl.model.schema import DESTINATION_KEY, SOURCE_KEY
from etl.model.settings import Settings
from etl.settings import environment as function_variables
from tests.cli.report_pages import run_of
from tests.cli.test_report_command import ledger_of
from tests.fakes.recording import RECORDED, Recording
from tests.memory.aws import BUCKET, DESTINATION, SOURCE, Aws
from tests.memory.functions import Functions, environment
from tests.memory.items import Items
from tests.memory.objects import Answer
from tests.memory.test_stages import MOST_MB
from tests.support import ROOT

_ALL = {shape.name: shape for shape in [*hostile_shapes(), *sized_shapes()]}
SHAPES = [_ALL[name] for name in ("truths", "names", "ns", "texts", "wide", "deep-L", "sets", "text-400KB")]
STACK = "arn:aws:states:us-east-1:000000000000:stateMachine:etl-pipeline"
# A page of the report, or a screen, is for reading.
MOST_PRINTED = 2_000_000


class Command:
    """Runs `etl` in a process of its own."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self._aws = aws
        self._peak = folder / "peak"

    def __call__(self, *words: str) -> tuple[str, float]:
        """Its output, and its peak of memory in MB."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.memory.command", *words],
            cwd=ROOT,
            env=environment(self._aws) | {"PEAK_FILE": str(self._peak), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode in (0, 3), done.stderr[-3000:]
        return done.stdout, float(self._peak.read_text())


@pytest.fixture(scope="module")
def etl(deployed: Functions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command, after a run that loaded one item of each shape and set two of each aside."""
    aws = deployed.aws
    aws.items = Items(SHAPES, 3 * len(SHAPES), spoilt=spoilt)
    ran = deployed.run()
    assert (ran.counts["loaded"], ran.counts["rejected_transform"]) == (len(SHAPES), 2 * len(SHAPES))
    aws.answers |= answers_of(ran.run, aws)
    yield Command(aws, tmp_path_factory.mktemp("command"))
    aws.answers.clear()
    aws.objects.remove()


def spoilt(line: bytes) -> bytes:
    """Make all items of a shape but its first one wrong, so that they are rejected."""
    number = int(json.loads(line[: line.index(b',"timestamp"')] + b"}")["id"]["S"].rpartition("-")[2])
    return line.replace(b'"N":"', b'"N":"-', 1) if number >= len(SHAPES) else line


def answers_of(run: str, aws: Aws) -> dict[str, Any]:
    """The answers of AWS about a run, apart from its items and objects."""
    recording = Recording("succeeded")
    before = json.loads(recording.description["output"])["run"]
    recorded = json.loads((RECORDED / "succeeded.json").read_text().replace(before, run), object_hook=with_epochs)
    recording.description["output"] = recorded["description"]["output"]
    entry = ledger_of(run_of(recording))["dynamodb.Query"]
    outputs = {
        "SourceTableName": SOURCE,
        "DestinationTableName": DESTINATION,
        "StagingBucketName": BUCKET,
        "StateMachineArn": STACK,
    }
    members = "".join(
        f"<member><OutputKey>{k}</OutputKey><OutputValue>{v}</OutputValue></member>" for k, v in outputs.items()
    )
    stack = (
        f"<StackName>EtlPipelineStack</StackName><StackStatus>UPDATE_COMPLETE</StackStatus><Outputs>{members}</Outputs>"
    )

    def query(request: Any) -> Any:
        if request["TableName"] != DESTINATION:
            return entry
        identity = request["ExpressionAttributeValues"][":key0"]
        return b'{"Items":[%b]}' % aws.items.get({"id": identity})[len(b'{"Item":') : -1]

    names = {"staging_bucket": BUCKET, "source_table": SOURCE, "ledger_table": "ledger", "stores": "stores"}
    variables = function_variables("extract", asdict(Settings()) | names)
    return {
        "": Answer(
            b"<DescribeStacksResponse><DescribeStacksResult><Stacks><member>%b</member></Stacks></DescribeStacksResult>"
            b"</DescribeStacksResponse>" % stack.encode(),
            headers={"Content-Type": "text/xml"},
        ),
        "Query": query,
        "GetExecutionHistory": lambda request: {
            "events": recorded["events"][::-1] if request.get("reverseOrder") else recorded["events"]
        },
        "DescribeExecution": recorded["description"],
        "GetFunctionConfiguration": {"FunctionName": "etl-extract", "Environment": {"Variables": variables}},
        "DescribeTable": described,
        "ListMapRuns": {"mapRuns": []},
    }


def described(request: Any) -> dict[str, Any]:
    """A table with the specification's key."""
    names = DESTINATION_KEY if request["TableName"] == DESTINATION else (SOURCE_KEY,)
    return {
        "Table": {
            "TableName": request["TableName"],
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in names],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        }
    }


def with_epochs(document: dict[str, Any]) -> dict[str, Any]:
    """A part of a recording, its times as Step Functions writes them."""
    for name in ("timestamp", "startDate", "stopDate"):
        if isinstance(document.get(name), str):
            document[name] = datetime.fromisoformat(document[name]).timestamp()
    return document


ALL, FEW = str(len(SHAPES)), "3"
SCREENS = [
    ("preview", "--sample", ALL),
    ("preview", "--id", "truths-000000", "--id", "wide-000004"),
    ("preview", "--run", "latest"),
    ("explain", "truths-000000"),
    ("quarantine", "list"),
    ("quarantine", "show", "latest", "--limit", ALL),
    ("report",),
    ("report", "--html", "-"),
]


@pytest.mark.parametrize("words", SCREENS, ids=" ".join)
def test_a_command_shows_items_of_every_shape_within_its_memory(etl: Command, words: tuple[str, ...]) -> None:
    printed, peak = etl(*words)

    assert len(printed) < MOST_PRINTED
    assert peak < MOST_MB


DOCUMENTS = [
    ("preview", "--sample", FEW, "--json"),
    ("preview", "--run", "latest", "--show", "1", "--json"),
    ("explain", "truths-000000", "--json"),
    ("quarantine", "show", "latest", "--limit", FEW, "--json"),
    ("report", "--json"),
]


@pytest.mark.parametrize("words", DOCUMENTS, ids=" ".join)
def test_json_of_items_of_every_shape_stays_within_memory(etl: Command, words: tuple[str, ...]) -> None:
    printed, peak = etl(*words)

    assert json.loads(printed)
    assert peak < MOST_MB
