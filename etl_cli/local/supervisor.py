"""Starts, finds and ends the one server of a state folder."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from etl.model.instants import format_instant
from etl_cli.local import process
from etl_cli.local.credentials import random_key
from etl_cli.local.process import HOST, MARK_VARIABLE, ServerRecord
from etl_cli.local.state_folder import make_private, open_private, require_own
from etl_cli.local.variables import server_environment
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command

START_SECONDS = 60.0
LOCK_SECONDS = 60.0


class Supervisor:
    """The server of a state folder, which may have been started by another process, or not at all."""

    def __init__(self, root: Path, state_dir: Path, server_command: Callable[[str], list[str]]) -> None:
        """Remember where to work.

        Args:
            root: the checkout.
            state_dir: the folder of the server's record, its log and its files.
            server_command: gives the command that runs a server with a token.
        """
        self._root = root
        self._state_dir = state_dir
        self._server_command = server_command
        self._record_file = state_dir / "server.json"
        self.log = state_dir / "server.log"

    def last(self) -> ServerRecord | None:
        """The server that was started last, whatever has become of it.

        Raises:
            UserError: the state folder is a link, or somebody else's.
        """
        require_own(self._state_dir)
        return ServerRecord.read(self._record_file)

    def current(self) -> ServerRecord | None:
        """The server that was started last, unless it was stopped since."""
        record = self.last()
        return None if record is None or record.was_stopped else record

    def require(self) -> ServerRecord:
        """The server that is up.

        Raises:
            UserError: it is not up; the message says since when and why, as far as that is known.
        """
        record = self.current()
        if record is None:
            raise UserError("The local environment is not up.", f"Start it: {command()} local start")
        if process.answers(record):
            return record
        if process.is_alive(record):
            raise UserError(
                f"The local environment (process {record.pid}) runs but does not answer on port {record.port}.",
                f"Start it afresh: {command()} local reset",
            )
        raise UserError(
            f"The local environment ended without being stopped. The last lines of {self.log}:",
            f"Start it again: {command()} local start",
            lines=self._last_lines(),
        )

    def running(self) -> ServerRecord | None:
        """The server that is up, or None if there is none.

        Raises:
            UserError: its process runs but does not answer.
        """
        record = self.current()
        return self.require() if record is not None and process.is_alive(record) else None

    def start(self, port: int | None, *, strict: bool, settings: dict[str, str]) -> ServerRecord:
        """Start a server on a port, None for the one of the last time or any free one, and wait until it answers.

        Raises:
            UserError: the port is taken, or the server did not start. Nothing is left running.
        """
        if strict and shutil.which("openssl") is None:
            raise UserError(
                "There is no `openssl`, by which a strict environment makes its certificate.",
                "Install it (on Debian: apt-get install openssl), or leave out --strict.",
            )
        last = self.current()
        if last is not None:
            process.end(last)  # it was killed: what it left behind would write into this one
        chosen = self._choose_port(port)
        self._empty_folders()
        token, key = secrets.token_hex(16), random_key()
        environment = server_environment(self._root, self._state_dir, chosen, strict=strict) | settings
        environment |= {MARK_VARIABLE: token, "AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
        started_at = format_instant(datetime.now(UTC).replace(microsecond=0))
        record = None
        try:
            with process.signals_deferred():
                pid = process.spawn(self._server_command(token), environment, self._state_dir / "home", self.log)
                record = ServerRecord(pid, chosen, token, started_at, strict, settings, key.id, key.secret)
                record.write(self._record_file)
            self._wait_until_ready(record)
        except BaseException:
            with process.signals_deferred():
                if record is not None:
                    process.end(record)
                    record.ended().write(self._record_file)
            raise
        return record

    def end(self) -> bool:
        """End the server; False if it was not running.

        Raises:
            UserError: its process would not end.
        """
        record = self.current()
        if record is None:
            return False
        stopped = process.end(record)
        if process.is_alive(record):
            raise UserError(
                f"The local environment's process {record.pid} does not end.", f"End it: kill -9 {record.pid}"
            )
        record.ended().write(self._record_file)
        return stopped

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep two commands from starting or stopping the same server at once."""
        make_private(self._state_dir)
        try:
            file = open_private(self._state_dir / "lock", "w")
        except OSError as error:
            raise UserError(
                f"The folder {self._state_dir} cannot be used: {error.strerror}.",
                "Name another one with ETL_LOCAL_DIR.",
            ) from None
        with file:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise UserError(
                            f"Another command has been starting or stopping {self._state_dir} for a minute.",
                            "Wait for it, or end it, and try again.",
                        ) from None
                    time.sleep(0.1)
            yield

    def _choose_port(self, port: int | None) -> int:
        if port is None:
            last = self.last()
            return last.port if last and process.is_port_free(last.port) else process.free_port()
        if not process.is_port_free(port):
            raise UserError(
                f"Port {port} of {HOST} is taken by another program, or not for you to use.",
                "Name another one with --port, or leave --port out to get a free one.",
            )
        return port

    def _empty_folders(self) -> None:
        for name in ("tmp", "home", "cdk-home"):
            shutil.rmtree(self._state_dir / name, ignore_errors=True)
            (self._state_dir / name).mkdir(mode=0o700)

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
                f"The local environment {problem}. The last lines of {self.log}:",
                "Run `make setup` if something is not installed, then try again.",
                lines=self._last_lines(),
            )

    def _last_lines(self, count: int = 15) -> list[str]:
        try:
            lines = self.log.read_text(errors="replace").rstrip().splitlines()
        except FileNotFoundError:
            lines = []
        return lines[-count:] or ["(nothing)"]
