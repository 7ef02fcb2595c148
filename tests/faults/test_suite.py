"""The suite finds errors: a night is harmed in each way that it looks for."""

from __future__ import annotations

import json

from tests.faults import courses
from tests.faults.catalogue import NONE, Fault
from tests.faults.conftest import SEED
from tests.faults.courses import Outcome
from tests.faults.effects import kill
from tests.faults.injection import Scene
from tests.faults.night import DAY, VALID, Night
from tests.faults.suite import Suite, random_of
from tests.pipeline.ledger import Ledger

REJECTED = 5


def harmed(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """A run after which a record is removed, one altered, one copied, one set aside, and the ledger put wrong."""
    outcome = courses.one_run(night, scene, ledger)
    (execution,) = outcome.executions
    clients, deployed = night.pipeline.clients, night.pipeline.deployed
    lost, altered, copied, aside = night.valid[:4]
    table = deployed.destination_table
    removed = {name: lost[name] for name in ("id", "timestamp")}
    clients.dynamodb.delete_item(TableName=table, Key=removed)
    clients.dynamodb.put_item(TableName=table, Item=altered)
    clients.dynamodb.put_item(TableName=table, Item=copied | {"timestamp": {"S": "2011-01-01T00:00:00Z"}})
    line = json.dumps({"stage": "transform", "item": {name: aside[name] for name in ("id", "timestamp")}})
    clients.s3.put_object(
        Bucket=deployed.staging_bucket,
        Key=f"quarantine/{execution.run}/transform-0009-0000.json",
        Body=f"[\n{line}\n]\n".encode(),
    )
    ledger.forget(execution.arn)
    ledger.begin(night.end - DAY)
    return outcome


def test_whatever_is_wrong_after_a_night_is_found(suite: Suite) -> None:
    row = suite.survive(Fault("harm", harmed), random_of(SEED, NONE, 0))

    assert row.count.figures == (1, 1, 1, 1)
    assert [problem.partition(":")[0] for problem in row.problems] == [
        "the entry's status",
        "the entry's run",
        "the entry's window_start",
        "the entry's window_end",
        "the entry's counts",
        "the watermark",
        "the fault was not injected",
    ]


def test_a_fault_that_strikes_nothing_is_a_failure(suite: Suite) -> None:
    never = Fault("never", matches=lambda call: call.state == "Load", timing=lambda *_: lambda _: False, effect=kill)

    row = suite.survive(never, random_of(SEED, never, 0))

    assert row.findings == ["the fault was not injected"]
    assert row.runs == 1


def test_an_execution_that_fails_is_a_failure(suite: Suite) -> None:
    def refused(night: Night, scene: Scene, _: Ledger) -> Outcome:
        scene.note()
        outcome = courses._all_succeed(night, [scene.start({"lookback": 24})], night.window)
        outcome.watermark = night.watermark
        return outcome

    row = suite.survive(Fault("an input that is refused", refused), random_of(SEED, NONE, 0))

    assert row.count.lost == VALID + REJECTED
    (problem,) = row.problems
    assert problem.startswith("an execution FAILED: InputError: unknown field")
