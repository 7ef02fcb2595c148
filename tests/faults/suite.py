"""Runs the deployed pipeline night by night, each with a fault, and checks the traces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from etl_cli.local.environment import LocalEnvironment
from tests.etl_pipeline.values import Item
from tests.faults.catalogue import NONE, Fault
from tests.faults.courses import Outcome
from tests.faults.effects import SHORT_SECONDS
from tests.faults.injection import Call, Injection, Scene, Switchboard
from tests.faults.night import DAY, FIRST, SETTINGS, Night, put_ballast
from tests.faults.oracle import Count, Records, count, dynamodb_json, key_of, record_aside
from tests.pipeline.execution import Execution, text
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline
from tests.support import PIPELINES, PROXIED, Deployed

# Of this one the emulator scales the waits between the retries of a state.
SERVER_SETTINGS = {"SFN_WAIT_SCALE": "0.1", **PROXIED}
ASIDE_COUNTS = ("rejected_transform", "untimed", "rejected_load")


@dataclass
class Row:
    """The result of a fault.

    Attributes:
        fault: its name.
        injected: how often it was injected.
        runs: executions.
        count: of the records that aren't as they must be.
        problems: everything else that isn't as it must be, in words.
    """

    fault: str
    injected: int = 0
    runs: int = 0
    count: Count = field(default_factory=Count)
    problems: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        """All that is wrong, in words; nothing if the fault was survived."""
        return [*self.count.named, *self.problems]

    def plus(self, other: Row) -> Row:
        """Both together, as `self.fault`."""
        return Row(
            self.fault,
            self.injected + other.injected,
            self.runs + other.runs,
            self.count.plus(other.count),
            self.problems + other.problems,
        )


class Suite:
    """The pipeline of an environment of its own, with faults between it and the emulator.

    Args:
        deployed: with `SETTINGS`; nobody else uses it.
        switchboard: connected.
    """

    def __init__(self, deployed: Deployed, switchboard: Switchboard) -> None:
        self._deployed = deployed
        self._switchboard = switchboard
        self._end = FIRST - DAY
        self._calls: list[Call] = []

    def pipeline(self, token: str) -> Pipeline:
        """The pipeline for something else than a night, with items of its own."""
        return Pipeline(self._deployed, token)

    def rehearse(self) -> Row:
        """Run a night without faults: its requests are those among which the moments are chosen."""
        # An event of long ago, as a night has, puts no first watermark there.
        Ledger(self.pipeline("item-")).begin(self._end)
        row = self.survive(NONE, Random(0))
        self._calls = list(self._switchboard.calls)
        return row

    def survive(self, fault: Fault, random: Random) -> Row:
        """Run a night with a fault; the row has its findings."""
        pipeline = Pipeline(self._deployed, "item-")
        ledger = Ledger(pipeline)
        watermark = ledger.watermark()
        night = Night(pipeline, datetime.fromisoformat(watermark) if watermark else None, self._end + DAY)
        pipeline.put(night.items)
        scene = Scene(pipeline, random)
        row = Row(fault.name)
        try:
            with self._striking(fault, scene):
                outcome = fault.course(night, scene, ledger)
            if any(execution.status != "SUCCEEDED" for execution in outcome.executions):
                self._switchboard.wait_until_still()
            self._look(outcome, ledger, row)
            self._end = outcome.night.end
        except AssertionError as error:  # something didn't come about in time
            row.problems.append(str(error))
            self._end += 2 * DAY
        finally:
            pipeline.clean_up()
        row.injected = scene.injected
        if fault is not NONE and not row.injected:
            row.problems.append("the fault was not injected")
        return row

    @contextmanager
    def _striking(self, fault: Fault, scene: Scene) -> Iterator[None]:
        if fault.effect is None:
            yield
            return
        matching = [call for call in self._calls if fault.matches(call)]
        assert matching, f"nothing that {fault.name} can strike"
        with ExitStack() as stack:
            if fault.short:
                function = matching[0].function
                stack.enter_context(scene.pipeline.configured(function, timeout_seconds=SHORT_SECONDS))
            strikes = fault.timing(scene.random, len(matching))
            injection = Injection(scene, fault.matches, strikes, fault.effect, fault.stubborn)
            stack.enter_context(self._switchboard.injecting(injection))
            yield

    def _look(self, outcome: Outcome, ledger: Ledger, row: Row) -> None:
        """Look at the destination table, and at quarantine and ledger of each execution."""
        row.runs = len(outcome.executions)
        destination = self._destination()
        expected = outcome.night.expected(*outcome.window)
        succeeded = [execution for execution in outcome.executions if execution.status == "SUCCEEDED"]
        for execution in succeeded:
            found = count(expected, destination, _quarantine(outcome.night.pipeline, execution))
            row.count = row.count.most(found)
            self._look_at_run(outcome, execution, ledger)
        if not succeeded:
            row.count = count(expected, destination, [])
        watermark = text(outcome.watermark) if outcome.watermark else None
        outcome.require("the watermark", ledger.watermark(), watermark)
        row.problems += outcome.problems

    def _look_at_run(self, outcome: Outcome, execution: Execution, ledger: Ledger) -> None:
        """Look at the ledger's entry, the counts and the aggregates of an execution that succeeded."""
        entry = ledger.entry(execution.arn)
        start, end = outcome.window
        facts = {
            "status": "SUCCEEDED",
            "run": execution.run,
            "window_start": start,
            "window_end": end,
            "counts": execution.counts,
            "stage": None,  # of a failure
        }
        for name, fact in facts.items():
            outcome.require(f"the entry's {name}", entry.get(name), fact)
        expected = outcome.night.expected(start, end)
        aside = sum(execution.counts.get(name, 0) for name in ASIDE_COUNTS)
        found = (execution.counts["loaded"], aside, execution.counts["extracted"])
        loaded, expected_aside = len(expected.loaded), len(expected.rejected)
        outcome.require("loaded, set aside and extracted", found, (loaded, expected_aside, loaded + expected_aside))
        untimed = sum("timestamp" not in item for item in outcome.night.invalid)
        outcome.require("items without a time", execution.counts.get("untimed", 0), untimed)
        (aggregate,) = outcome.night.pipeline.document(f"transform/{execution.run}/aggregates.json")["aggregates"]
        outcome.require("the aggregates", aggregate["groups"], outcome.night.expected_groups(start, end))

    def _destination(self) -> Records:
        """All that the destination table holds."""
        pages = self._deployed.clients.dynamodb.get_paginator("scan").paginate(
            TableName=self._deployed.destination_table, ConsistentRead=True
        )
        items: list[Item] = [{**item} for page in pages for item in page["Items"]]  # type: ignore[dict-item]
        return [(key_of(item), dynamodb_json(item)) for item in items]


def _quarantine(pipeline: Pipeline, execution: Execution) -> Records:
    """All that an execution set aside."""
    found = []
    for line in pipeline.lines(f"quarantine/{execution.run}/"):
        facts = json.loads(line)
        item = facts["item"]
        if facts["stage"] == "load":  # plain JSON; the items that are refused have texts and numbers only
            item = {name: {"S": each} if isinstance(each, str) else {"N": str(each)} for name, each in item.items()}
        found.append((key_of(item), record_aside(facts["stage"], item)))
    return found


@contextmanager
def running(environment: LocalEnvironment) -> Iterator[tuple[Suite, Row]]:
    """Start an environment, deploy into it and rehearse; gives the suite and the row of the run without faults."""
    environment.start(strict=True, settings=SERVER_SETTINGS)
    outputs = environment.deploy({"etl:pipelines": PIPELINES} | SETTINGS)
    deployed = Deployed(environment, environment.clients(), outputs)
    pipeline = Pipeline(deployed, "")
    put_ballast(pipeline)
    switchboard = Switchboard()
    with closing(deployed.relays), switchboard.connected(pipeline):
        suite = Suite(deployed, switchboard)
        yield suite, suite.rehearse()


def random_of(seed: int, fault: Fault, number: int) -> Random:
    """The random numbers of a fault's round, independent of other faults."""
    return Random(f"{seed}/{fault.name}/{number}")
