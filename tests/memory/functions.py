"""The three functions, each in a process of its own, and runs of the workflow through them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

from etl.model.run import Run
from etl.staging.keys import begun_key, manifest_key, quarantine_prefix, replayed_key, seal_key
from tests.fakes.pipeline import ENVIRONMENT
from tests.memory.aws import BUCKET, DESTINATION, SOURCE, Aws
from tests.support import ROOT

MEMORY_MB = 512
WINDOW = {"start": "2026-11-22T00:00:00Z", "end": "2026-11-23T00:00:00Z"}
RUN = {**WINDOW, "time": "2026-11-23T02:00:00.123Z", "execution": "arn:aws:states:execution:1", "segments": 1}


def environment(aws: Aws) -> dict[str, str]:
    """The variables of a process that takes this for AWS."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "PYTHONPATH": f"{ROOT / 'runtime'}:{ROOT}",
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Function:
    """A function whose process stays from one invocation to the next."""

    def __init__(self, stage: str, variables: dict[str, str], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.memory.function", stage],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def __enter__(self) -> Function:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def invoke(self, event: Any) -> tuple[Any, float]:
        """The result of an invocation, and the memory in MB that it has taken at its peak."""
        stdin, stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        stdin.write(json.dumps(event).encode() + b"\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"], answer["peak_mb"]


@dataclass
class Ran:
    """A run of the workflow.

    Attributes:
        run: its timestamp.
        counts: its counts by name.
        peaks: memory in MB by action, each at its peak.
    """

    run: str
    counts: Counter[str] = field(default_factory=Counter)
    peaks: dict[str, float] = field(default_factory=dict)


class Functions:
    """The three functions.

    Attributes:
        aws: their AWS.
    """

    def __init__(self, aws: Aws, stages: dict[str, Function]) -> None:
        self.aws = aws
        self._stages = stages
        self._runs = 0

    def run(self, replayed: str = "", *, retry: int = 0) -> Ran:
        """Run all stages, over the source table or over the quarantine of another run.

        Args:
            replayed: the other run's timestamp.
            retry: how often the workflow has tried each invocation before.
        """
        self._runs += 1
        ran = Ran(f"20261123T020000{self._runs:03d}Z")
        run: dict[str, Any] = RUN | {"timestamp": ran.run}
        if replayed:
            run["replay"] = {"run": replayed, "execution": RUN["execution"]}
            self._plan_replay(ran.run, replayed)
        self.aws.objects.keep(manifest_key(ran.run), json.dumps(run).encode())
        state: dict[str, Any] = {"run": run, "segments": [{"segment": 0}]}
        for action in ("extract", "transform"):
            self._map(ran, state, action, retry)
        state = self._invoke(ran, "gate", state)
        self._map(ran, state, "load", retry)
        output = self._invoke(ran, "finish", state | {"finished_at": "2026-11-23T02:10:00.000Z"})
        ran.counts = Counter(output["counts"])
        return ran

    def _plan_replay(self, run: str, replayed: str) -> None:
        """Stage the list of the objects that a replay takes up, as Plan does."""
        objects, listed = self.aws.objects, replayed_key(run)
        keys = sorted(key for key in objects.etags if key.startswith(quarantine_prefix(replayed)))
        etag = objects.keep(listed, json.dumps(keys).encode())
        objects.keep(seal_key(listed), json.dumps({"etag": etag, "records": 1}).encode())

    def _map(self, ran: Ran, state: dict[str, Any], action: str, retry: int) -> None:
        """All invocations of a Map's only segment."""
        (work,) = state["segments"]
        while True:
            if retry:
                self._begin(ran, action, work)
            work = self._invoke(ran, action, {"run": state["run"], "work": work, "retry": retry})
            if "cursor" not in work:
                break
        state["segments"] = [work]

    def _begin(self, ran: Ran, action: str, work: dict[str, Any]) -> None:
        """Leave the mark of an attempt before, which has died."""
        cursor = work.get("cursor") or {"part": 0, "offset": 0}
        run = SimpleNamespace(timestamp=ran.run)
        key = begun_key(action, cast(Run, run), work["segment"], cursor.get("part", 0), cursor.get("offset", 0))
        self.aws.objects.keep(key, b"{}")

    def _invoke(self, ran: Ran, action: str, event: dict[str, Any]) -> Any:
        stage = {"gate": "transform", "finish": "load"}.get(action, action)
        result, peak = self._stages[stage].invoke(event | {"action": action})
        ran.peaks[action] = max(peak, ran.peaks.get(action, 0.0))
        return result


@contextmanager
def functions(aws: Aws, folder: Path) -> Iterator[Functions]:
    """The functions, ready to be invoked, while the context lasts."""
    own = {"STAGING_BUCKET": BUCKET, "SOURCE_TABLE": SOURCE, "DESTINATION_TABLE": DESTINATION}
    own |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB), "REJECT_THRESHOLD_PERCENT": "100"}
    variables = environment(aws) | ENVIRONMENT | own
    with ExitStack() as stack:
        stages = {
            stage: stack.enter_context(Function(stage, variables, folder / f"{stage}.log"))
            for stage in ("extract", "transform", "load")
        }
        yield Functions(aws, stages)
