"""A local environment: the embedded AWS of one state folder, and the stack deployed into it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from etl.model.names import ETL, Names
from etl_cli.local import process
from etl_cli.local.cdk import CdkRunner
from etl_cli.local.clients import Clients, StackSummary
from etl_cli.local.process import ServerRecord
from etl_cli.local.supervisor import Supervisor
from etl_cli.local.variables import child_environment, client_variables
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command

_STATES = {
    "up": "is up",
    "down": "is down",
    "died": "ended without being stopped",
    "unresponsive": "runs, but doesn't answer",
}


@dataclass(frozen=True)
class Status:
    """The state of a local environment.

    Its state is a key of `_STATES`; it is down if it wasn't started, or was stopped. Endpoint and uptime are None
    unless it is up.
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

    @property
    def words(self) -> str:
        """The state as a predicate: ``is up``."""
        return _STATES[self.state]


class LocalEnvironment:
    """The embedded AWS of one state folder, on its own port of 127.0.0.1.

    Its tables, objects and stacks are in its process's memory. Stopping it deletes them.

    Raises:
        UserError: by `variables` and everything that needs a running environment, if it isn't up.
    """

    def __init__(self, root: Path, state_dir: Path | None = None) -> None:
        """Describe the environment of a checkout; its folder is $ETL_LOCAL_DIR, or .etl-local, if left out."""
        self.root = root.resolve()
        chosen = state_dir or Path(os.environ.get("ETL_LOCAL_DIR") or self.root / ".etl-local")
        self.state_dir = chosen.absolute()
        self._server = Supervisor(self.root, self.state_dir, self._command)
        self.log = self._server.log

    def start(
        self, port: int | None = None, *, strict: bool = False, settings: Mapping[str, str] | None = None
    ) -> Status:
        """Start the server, unless it is up.

        Args:
            port: of 127.0.0.1; None for the last port if it is free, or any free one.
            strict: enforce the IAM policies of the functions' roles and the bucket policy, over HTTPS.
            settings: additional environment variables, which the functions inherit.
        """
        with self._server.lock():
            record = self._server.running()
            if record is None:
                record = self._server.start(port, strict=strict, settings=dict(settings or {}))
            elif port not in (None, record.port):
                raise UserError(
                    f"The local environment is already up, on port {record.port}.",
                    f"To use port {port}, stop it first: {command()} local stop",
                )
            elif strict and not record.strict:
                raise UserError(
                    "The local environment is already up, and isn't strict.",
                    f"Stop it first, which deletes its data: {command()} local stop",
                )
            return self._status_of(record)

    def stop(self) -> bool:
        """Stop the server and free its port; return False if it wasn't running."""
        with self._server.lock():
            return self._server.end()

    def reset(self) -> Status:
        """Delete all data and stacks, and start the server again on the same port."""
        with self._server.lock():
            last = self._server.last()
            self._server.end()
            strict, settings = (last.strict, last.settings) if last else (False, {})
            return self._status_of(self._server.start(None, strict=strict, settings=settings))

    def status(self, *, stacks: bool = False) -> Status:
        """Ask the server for its state, and for the deployed stacks, which takes a second."""
        record = self._server.current()
        if record is None:
            return Status("down", self.state_dir)
        status = self._status_of(record)
        if stacks and status.is_up:
            return replace(status, stacks=self.clients().stacks())
        return status

    def variables(self) -> dict[str, str]:
        """Return the variables with which AWS clients, the AWS CLI and the CDK CLI use this environment."""
        return client_variables(self.root, self.state_dir, self._server.require())

    def environ(self) -> dict[str, str]:
        """Return the whole environment for a child process: `variables()` replace the AWS settings of this one."""
        return child_environment(self.variables())

    def clients(self) -> Clients:
        """Return typed boto3 clients of this environment."""
        return Clients(self.variables())

    def deploy(
        self, context: Mapping[str, str] | None = None, on_line: Callable[[str], None] | None = None
    ) -> dict[str, str]:
        """Deploy the specification's pipeline with CDK context values, and return its outputs by OutputKey."""
        (outputs,) = self.deploy_all([ETL], context, on_line).values()
        return outputs

    def deploy_all(
        self,
        pipelines: Sequence[Names],
        context: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> dict[str, dict[str, str]]:
        """Deploy pipelines of the checkout with CDK context values, which choose the stage. Bootstrap first if needed.

        Returns:
            The outputs by OutputKey, for each stack's name.
        """
        runner = CdkRunner(self.root, self.state_dir, self.environ(), on_line)
        if not self.clients().has_stack("CDKToolkit"):
            runner.bootstrap()
        # The functions run on this machine, with this interpreter.
        return runner.deploy(
            [names.stack_id for names in pipelines], {"etl:lambda_platform": "host", **(context or {})}
        )

    def destroy(
        self,
        context: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
        pipelines: Sequence[Names] = (ETL,),
    ) -> None:
        """Destroy the stacks of pipelines with the CDK CLI; the context chooses their stage, as in a deployment."""
        CdkRunner(self.root, self.state_dir, self.environ(), on_line).destroy(
            {names.stack_id: names.stack for names in pipelines}, {"etl:lambda_platform": "host", **(context or {})}
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

    def _command(self, token: str) -> list[str]:
        # Isolated (-I): imports nothing from the working directory and from the user's own packages.
        return [sys.executable, "-Iu", "-m", "etl_cli.local.server", token]
