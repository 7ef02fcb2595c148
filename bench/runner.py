"""Runs the cases, interleaved, each in a fresh process, and compares the server's counts with the expected ones."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

from bench.environment import CHECKOUT, VENV
from bench.expected import problem_with
from bench.job import Job, Measured
from bench.plan import GROUPS, Case
from bench.shaped_lines import shaped_lines
from bench.variants.common import EXTRACT_KEY, TRANSFORM_KEY
from bench.variants.ours import ENVIRONMENT, staged_key

TIMEOUT_SECONDS = 1800
_INPUTS = {"transform": ("extract", "raw"), "load": ("transform", "transformed")}
_PEER_INPUTS = {"transform": (EXTRACT_KEY, "plain"), "load": (TRANSFORM_KEY, "transformed")}
# Bytes of a staged record, roughly: our stages read parts of the size that they write.
_RECORD_BYTES = {"raw": 418, "transformed": 371}


@dataclass(kw_only=True)
class Result:
    """All measurements of one case.

    Attributes:
        case: the case.
        runs: the costs of its rounds.
        problem: why there are none, or why they don't count; empty when all is well.
    """

    case: Case
    runs: list[Measured] = field(default_factory=list)
    problem: str = ""


class Server:
    """The server's process, and the conversation with it that is not measured."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.ports = {True: facts["https"], False: facts["http"]}
        self.certificate = facts["certificate"]

    def ask(self, path: str, document: object = None) -> Any:
        """Ask the server for something of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[False])
        connection.request("POST", path, json.dumps(document))
        return json.loads(connection.getresponse().read())


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for the time of the block."""
    with TemporaryDirectory() as folder:
        command = [str(VENV / "bin" / "python"), "-m", "bench.server", folder]
        with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
            try:
                yield Server(json.loads(stdout.readline()))
            finally:
                stdin.close()  # which ends it


def run_plan(cases: list[Case], server: Server, cgroups: list[str], tell: Callable[[str], None]) -> list[Result]:
    """Run every case as often as it says: all cases of a group once, then all once more, and so on."""
    results = [Result(case=case) for case in cases]
    for group in GROUPS:
        mine = [result for result in results if result.case.group == group]
        rounds = max((result.case.rounds for result in mine), default=0)
        for number in range(rounds):
            for result in mine:
                case = result.case
                if result.problem or number >= case.rounds:
                    continue  # a failure is reported, not tried again
                tell(f"{group} {number + 1}/{rounds}: {case.stage}, {case.items:,} items, {case.label}")
                run_case(result, server, cgroups)
    return results


def run_case(result: Result, server: Server, cgroups: list[str], profile: str = "") -> None:
    """Measure one case once, and add it to its result."""
    case = result.case
    if case.boxed and not cgroups:
        result.problem = "left out: no control groups"
        return
    parts = _set_up(case, server)
    job = Job(
        variant=case.variant.name,
        stage=case.stage,
        items=case.items,
        dense=case.dense,
        parts=parts,
        invocation_seconds=case.invocation_seconds,
        cgroups=cgroups if case.boxed else [],
        profile=profile,
        tables=case.tables,
    )
    try:
        done = subprocess.run(
            _command(job, server),
            cwd=CHECKOUT,
            env=_environment(server, secure=case.variant.secure),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        result.problem = f"did not run: {error}"
        return
    if done.returncode != 0:
        result.problem = _failure(done)
        return
    result.runs.append(Measured(**json.loads(done.stdout.splitlines()[-1])))
    result.problem = problem_with(case, server.ask("/_bench/counts"))


def _set_up(case: Case, server: Server) -> int:
    """Prepare the server for a case; returns the number of objects that hold its input."""
    table = {
        "items": case.items if case.stage == "extract" else 0,
        "dense": case.dense,
        "trouble_every": case.trouble_every,
        "shape": case.shape,
    }
    objects: list[tuple[str, str, int, str]] = []
    if case.stage != "extract" and case.variant.name == "ours":
        stage, kind = _INPUTS[case.stage]
        record_bytes = len(shaped_lines(case.shape, kind)[0]) if case.shape else _RECORD_BYTES[kind]
        most = max(1, int(ENVIRONMENT["PART_BYTES"]) // record_bytes)
        sizes = [min(most, case.items - start) for start in range(0, case.items, most)]
        objects = [(staged_key(stage, part), kind, size, case.shape) for part, size in enumerate(sizes)]
    elif case.stage != "extract":
        objects = [(*_PEER_INPUTS[case.stage], case.items, "")]
    server.ask("/_bench/setup", {"table": table, "latency_ms": case.latency_ms, "objects": objects})
    return len(objects)


def _command(job: Job, server: Server) -> list[str]:
    if job.variant == "floor":
        program, port = str(VENV / "floor"), str(server.ports[True])
        return [program, job.stage, port] + ([TRANSFORM_KEY] if job.stage == "load" else [])
    return [sys.executable, "-m", "bench.worker", json.dumps(asdict(job))]


def _environment(server: Server, *, secure: bool) -> dict[str, str]:
    """A process's environment: credentials that nobody checks, the server's address, nothing of the user's."""
    scheme = "https" if secure else "http"
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(Path(server.certificate).parent),
        "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'runtime'}",
        "AWS_ENDPOINT_URL": f"{scheme}://127.0.0.1:{server.ports[secure]}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CA_BUNDLE": server.certificate,
        "SSL_CERT_FILE": server.certificate,
    }


def _failure(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -9:
        return "killed: out of memory"
    lines = done.stderr.strip().splitlines()
    return f"failed: {lines[-1][:160] if lines else f'exit code {done.returncode}'}"
