"""A local environment: the embedded AWS of one state folder, and the stack deployed into it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from etl_cli.emulator import cdk, process
from etl_cli.emulator.clients import Clients, StackSummary
from etl_cli.emulator.process import HOST, ServerRecord
from etl_cli.emulator.variables import child_environment, client_variables, server_environment
from etl_cli.errors import UserError
from etl_cli.paths import command

STACK_NAME = "EtlPipelineStack"
START_SECONDS = 60.0
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Status:
    """What a local environment is doing.

    Attributes:
        state: "up"; "down" (not started, or stopped); "died" (it ended without being stopped);
            "unresponsive" (its process runs and does not answer).
        endpoint: the URL that AWS clients use; None unless up.
        uptime_seconds: since the start; None unless up.
    """

    state: str
    state_dir: Path
    endpoint: str | None = None
    port: int | None = None
    pid: int | None = None
    started_at: str | None = None
    uptime_seconds: float | None = None
    strict: bool = False
    stacks: list[StackSummary] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        """Whether the environment can be used."""
        return self.state == "up"


class LocalEnvironment:
    """The embedded AWS of one state folder. Each folder has its own, on its own port of 127.0.0.1.

    Everything it holds is in its process's memory: stopping it throws tables, objects and stacks away.
    """

    def __init__(self, root: Path, state_dir: Path | None = None) -> None:
        """Describe the environment; nothing is started.

        Args:
            root: the checkout, with its .venv and node_modules.
            state_dir: where its files are; None for $ETL_LOCAL_DIR, or else .etl-local of the checkout.
        """
        self.root = root.resolve()
        chosen = state_dir or Path(os.environ.get("ETL_LOCAL_DIR") or self.root / ".etl-local")
        self.state_dir = chosen.absolute()
        self.log = self.state_dir / "server.log"
        self._record_file = self.state_dir / "server.json"

    def start(
        self, port: int | None = None, *, strict: bool = False, settings: Mapping[str, str] | None = None
    ) -> Status:
        """Start the server, or leave it be if it is up.

        Args:
            port: of 127.0.0.1; None for the port of the last time, if it is free, or any free one.
            strict: enforce the IAM policies of the functions' roles, over HTTPS.
            settings: variables to add to the server's environment, which the functions inherit.

        Raises:
            UserError: the port is taken, or the server did not start.
        """
        with self._lock():
            record = self._running()
            if record is None:
                record = self._start(self._choose_port(port), strict, dict(settings or {}))
            elif port not in (None, record.port):
                raise UserError(
                    f"The local environment is up already, on port {record.port}.",
                    f"Stop it first to use port {port}: {command()} local stop",
                )
            return self._status_of(record)

    def stop(self) -> bool:
        """Stop the server and free its port; False if it was not running.

        Raises:
            UserError: the server's process would not end.
        """
        with self._lock():
            return self._stop()

    def reset(self) -> Status:
        """Throw all data and stacks away; the server is up afterwards, on the port it had."""
        with self._lock():
            last = ServerRecord.read(self._record_file)
            self._stop()
            strict, settings = (last.strict, last.settings) if last else (False, {})
            return self._status_of(self._start(self._choose_port(None), strict, settings))

    def status(self, *, stacks: bool = False) -> Status:
        """What the environment is doing, asked from the process itself.

        Args:
            stacks: also list the deployed stacks, which takes a second.
        """
        record = ServerRecord.read(self._record_file)
        if record is None or record.pid == 0:
            return Status("down", self.state_dir)
        status = self._status_of(record)
        if stacks and status.is_up:
            return Status(**{**vars(status), "stacks": self.clients().stacks()})
        return status

    def variables(self) -> dict[str, str]:
        """The variables with which any AWS client, the AWS CLI and the CDK CLI use this environment.

        Raises:
            UserError: the environment is not up.
        """
        return client_variables(self.root, self.state_dir, self._require())

    def environ(self) -> dict[str, str]:
        """The whole environment for a child process: this one's, without its AWS settings, and `variables()`.

        Raises:
            UserError: the environment is not up.
        """
        return child_environment(self.variables())

    def clients(self) -> Clients:
        """Typed boto3 clients of this environment.

        Raises:
            UserError: the environment is not up.
        """
        return Clients.of(self.variables())

    def deploy(
        self,
        context: Mapping[str, str] | None = None,
        *,
        stack: str = STACK_NAME,
        on_line: Callable[[str], None] | None = None,
    ) -> dict[str, str]:
        """Bootstrap if need be, and deploy the stack with the CDK CLI.

        Args:
            context: CDK context values, such as {"etl:lookback_hours": "48"}.
            stack: the stack's name.
            on_line: called with each line of progress.

        Returns:
            The stack's outputs, by OutputKey.

        Raises:
            UserError: the environment is not up, or the deployment failed.
        """
        runner = cdk.CdkRunner(self.root, self.state_dir, self.environ(), on_line)
        if not self.clients().has_stack("CDKToolkit"):
            runner.bootstrap()
        # The functions run on this machine, with this interpreter.
        runner.deploy(stack, {"etl:lambda_platform": "host", **(context or {})})
        return self.clients().outputs(stack)

    def destroy(self, *, stack: str = STACK_NAME, on_line: Callable[[str], None] | None = None) -> None:
        """Destroy the stack with the CDK CLI.

        Raises:
            UserError: the environment is not up, or the stack could not be destroyed.
        """
        runner = cdk.CdkRunner(self.root, self.state_dir, self.environ(), on_line)
        runner.destroy(stack)

    def _require(self) -> ServerRecord:
        record = ServerRecord.read(self._record_file)
        if record is not None and process.answers(record):
            return record
        if record is None or record.pid == 0:
            raise UserError("The local environment is not up.", f"Start it: {command()} local start")
        if process.is_alive(record):
            raise UserError(
                f"The local environment (process {record.pid}) runs but does not answer on port {record.port}.",
                f"Start it afresh: {command()} local reset",
            )
        raise UserError(
            f"The local environment ended without being stopped. The last lines of {self.log}:\n{self._last_lines()}",
            f"Start it again: {command()} local start",
        )

    def _status_of(self, record: ServerRecord) -> Status:
        if not process.is_alive(record):
            return Status("died", self.state_dir, port=record.port, pid=record.pid, started_at=record.started_at)
        up = process.answers(record)
        uptime = (datetime.now(UTC) - datetime.fromisoformat(record.started_at)).total_seconds()
        return Status(
            "up" if up else "unresponsive",
            self.state_dir,
            endpoint=record.endpoint if up else None,
            port=record.port,
            pid=record.pid,
            started_at=record.started_at,
            uptime_seconds=round(uptime, 1) if up else None,
            strict=record.strict,
        )

    def _running(self) -> ServerRecord | None:
        record = ServerRecord.read(self._record_file)
        if record is None or record.pid == 0 or not process.is_alive(record):
            return None
        return self._require()

    def _choose_port(self, port: int | None) -> int:
        if port is None:
            last = ServerRecord.read(self._record_file)
            return last.port if last and process.is_port_free(last.port) else process.free_port()
        if not process.is_port_free(port):
            raise UserError(
                f"Port {port} of {HOST} is taken by another program.",
                "Name another one with --port, or leave --port out to get a free one.",
            )
        return port

    def _start(self, port: int, strict: bool, settings: dict[str, str]) -> ServerRecord:
        self._empty_folders()
        token = secrets.token_hex(16)
        environment = server_environment(self.root, self.state_dir, port, strict=strict) | settings
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        pid = process.spawn(self._command(token), environment, self.state_dir, self.log)
        record = ServerRecord(pid, port, token, started_at, strict, settings)
        try:
            record.write(self._record_file)
            self._wait_until_ready(record)
        except BaseException:
            process.end(record)
            record.ended().write(self._record_file)
            raise
        return record

    def _command(self, token: str) -> list[str]:
        return [sys.executable, "-m", "etl_cli.emulator.server", token]

    def _empty_folders(self) -> None:
        for name in ("tmp", "home", "cdk-home"):
            shutil.rmtree(self.state_dir / name, ignore_errors=True)
            (self.state_dir / name).mkdir(parents=True)

    def _wait_until_ready(self, record: ServerRecord) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not process.answers(record, timeout_seconds=1):
            if not process.is_alive(record):
                problem = "ended while it started"
            elif time.monotonic() > deadline:
                problem = f"did not answer on port {record.port} within {START_SECONDS:.0f} s"
            else:
                time.sleep(0.05)
                continue
            raise UserError(
                f"The local environment {problem}. The last lines of {self.log}:\n{self._last_lines()}",
                "Run `make setup` if something is not installed, then try again.",
            )

    def _last_lines(self, count: int = 15) -> str:
        try:
            lines = self.log.read_text(errors="replace").rstrip().splitlines()
        except FileNotFoundError:
            lines = []
        return "\n".join(f"  {line}" for line in lines[-count:]) or "  (nothing)"

    def _stop(self) -> bool:
        record = ServerRecord.read(self._record_file)
        if record is None or record.pid == 0:
            return False
        stopped = process.end(record)
        if process.is_alive(record):
            raise UserError(
                f"The local environment's process {record.pid} does not end.", f"End it: kill -9 {record.pid}"
            )
        record.ended().write(self._record_file)
        return stopped

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep two commands from starting or stopping the same environment at once."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with (self.state_dir / "lock").open("w") as file:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise UserError(
                            f"Another command has been starting or stopping {self.state_dir} for a minute.",
                            "Wait for it, or end it, and try again.",
                        ) from None
                    time.sleep(0.1)
            yield
