"""Lambda has no room for all workers of a run: simulated, with the retriers of the template, in virtual time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from etl.model.limits import HISTORY_EVENTS
from etl_cli.costs.usage import history_events
from tests.infrastructure.synthesis import Synthesized

SEGMENTS = 40
ERROR = "Lambda.TooManyRequestsException"
# Scheduled, started and failed. Source: Step Functions API reference, HistoryEvent.
EVENTS_OF_A_RETRY = 3
SEEDS = range(25)
# In the past, throttling and other transient errors shared these six attempts.
SHARED = {"IntervalSeconds": 2, "MaxAttempts": 6, "BackoffRate": 2, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}


@dataclass
class Stage:
    """A Map whose workers start functions; Lambda runs so many at once.

    Attributes:
        seconds: time until the last one is done; infinite if a worker gave up.
        retries: of all workers together.
    """

    seconds: float = 0
    retries: int = 0


def simulate(retrier: dict[str, Any], random: Random, *, quota: int, seconds: float, end: float = 1e9) -> Stage:
    """Run a stage in which each worker has an invocation of about so many seconds.

    A worker that finds no room waits as the retrier says: a share of the delay, by "full" jitter, which doubles up to
    its maximum. Source: Amazon States Language, "Retrying after error"; Step Functions developer guide, "Retrying after
    an error".
    """
    stage, running = Stage(), 0
    tries = [(random.uniform(0, 0.2), number, 0) for number in range(SEGMENTS)]  # (time, worker, retries; -1: it ends)
    heapq.heapify(tries)
    while tries and tries[0][0] <= end:
        now, worker, retries = heapq.heappop(tries)
        stage.seconds = now
        if retries < 0:
            running -= 1
        elif running < quota:
            running += 1
            heapq.heappush(tries, (now + seconds * random.uniform(0.9, 1.1), worker, -1))
        elif retries == retrier["MaxAttempts"]:
            stage.seconds = float("inf")
            return stage
        else:
            stage.retries += 1
            delay = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** min(retries, 30)
            delay = min(delay, retrier["MaxDelaySeconds"])
            heapq.heappush(tries, (now + random.uniform(0, delay), worker, retries + 1))
    return stage


@pytest.fixture(scope="module")
def retriers(stack: Synthesized) -> dict[str, dict[str, Any]]:
    """The retrier of each Map's workers for a start that is throttled."""
    states, found = stack.definition["States"], {}
    for name in ("Extract", "Transform", "Load"):
        task = states[name]["ItemProcessor"]["States"][f"{name}Segment"]
        found[name] = next(each for each in task["Retry"] if ERROR in each["ErrorEquals"])
    return found


@pytest.fixture(scope="module")
def run_seconds(stack: Synthesized) -> int:
    return int(stack.definition["TimeoutSeconds"])


@pytest.mark.parametrize("seconds", [5, 15, 27, 60, 120, 200, 290])
@pytest.mark.parametrize("quota", [10, 30])
def test_no_stage_fails_for_lack_of_room(
    retriers: dict[str, dict[str, Any]], run_seconds: int, quota: int, seconds: float
) -> None:
    rounds = -(-SEGMENTS // quota)
    for name, retrier in retriers.items():
        stages = [simulate(retrier, Random(f"{name}/{seed}"), quota=quota, seconds=seconds) for seed in SEEDS]

        slowest = max(stage.seconds for stage in stages)
        assert slowest < run_seconds
        # Free room stays idle for about the longest wait, once for each round of workers.
        assert slowest < rounds * (1.1 * seconds + retrier["MaxDelaySeconds"])


@pytest.mark.parametrize(
    ("quota", "seconds"), [(10, 5), (10, 15), (10, 27), (10, 60), (10, 120), (30, 60), (30, 120), (30, 250)]
)
def test_a_run_succeeds_if_its_time_is_enough_for_its_work(
    retriers: dict[str, dict[str, Any]], run_seconds: int, quota: int, seconds: float
) -> None:
    # A run with more work than this times out, however often starts are retried: `etl plan` says so.
    runs = [
        sum(
            simulate(retrier, Random(f"{name}/{seed}"), quota=quota, seconds=seconds).seconds
            for name, retrier in retriers.items()
        )
        for seed in SEEDS
    ]

    assert max(runs) < run_seconds


@pytest.mark.parametrize(("seconds", "least"), [(15, 0.5), (27, 1.0)])
def test_attempts_shared_with_other_errors_were_too_few(seconds: float, least: float) -> None:
    stages = [simulate(SHARED, Random(seed), quota=10, seconds=seconds) for seed in range(200)]

    assert sum(stage.seconds == float("inf") for stage in stages) / len(stages) >= least


def test_waiting_for_a_whole_run_does_not_fill_its_history(
    retriers: dict[str, dict[str, Any]], run_seconds: int
) -> None:
    # One worker keeps the only place: the others try until the run's time is up, and none gives up earlier.
    stages = [simulate(retriers["Load"], Random(seed), quota=0, seconds=1, end=run_seconds) for seed in SEEDS]
    # The invocations of a run that takes all of its time, with one more in each stage.
    invocations = SEGMENTS * (run_seconds // 300 + 3)

    assert all(stage.seconds < float("inf") for stage in stages)
    waiting = EVENTS_OF_A_RETRY * max(stage.retries for stage in stages)
    assert waiting + history_events(SEGMENTS, invocations, inline=True) < 0.8 * HISTORY_EVENTS
