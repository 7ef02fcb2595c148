"""Starts, finds and ends the one server of a state folder."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from etl.model.instants import format_instant
from etl_cli.local import process
from etl_cli.local.credentials import random_key
from etl_cli.local.process import HOST, MARK_VARIABLE, ServerRecord
from etl_cli.local.state_folder import make_private, open_private, require_own, unusable
from etl_cli.local.variables import server_environment
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command

START_SECONDS = 60.0
LOCK_SECONDS = 60.0


class Supervisor:
    """The server of a state folder. Another process may have started it, or none."""

    def __init__(self, root: Path, state_dir: Path, server_command: Callable[[str], list[str]]) -> None:
        """Prepare the server of a checkout, and start nothing. `server_command` takes the server's token."""
        self._root = root
        self._state_dir = state_dir
        self._server_command = server_command
        self._record_file = state_dir / "server.json"
        self.log = state_dir / "server.log"

    def last(self) -> ServerRecord | None:
        """Return the server that was started last; it may have ended. Refuse a folder that isn't the user's own."""
        require_own(self._state_dir)
        return ServerRecord.read(self._record_file)

    def current(self) -> ServerRecord | None:
        """Return the server that was started last, unless somebody stopped it."""
        record = self.last()
        return record if record and record.pid else None

    def require(self) -> ServerRecord:
        """Return the server that is up, or raise a UserError with the reason why it isn't."""
        record = self.current()
        if record is None:
            raise UserError("The local environment isn't up.", f"Start it: {command()} local start")
        if process.answers(record):
            return record
        if process.is_alive(record):
            raise UserError(
                f"The local environment (process {record.pid}) runs but doesn't answer on port {record.port}.",
                f"Start it again: {command()} local reset",
            )
        raise UserError(
            f"The local environment ended without being stopped. The last lines of {self.log}:",
            f"Start it again: {command()} local start",
            lines=self._last_lines(),
        )

    def running(self) -> ServerRecord | None:
        """Return the server that is up, or None; a UserError if its process runs but doesn't answer."""
        record = self.current()
        return self.require() if record is not None and process.is_alive(record) else None

    def start(self, port: int | None, *, strict: bool, settings: dict[str, str]) -> ServerRecord:
        """Start a server, and wait until it answers. If that fails, no process is left running."""
        if strict and shutil.which("openssl") is None:
            raise UserError(
                "A strict environment needs `openssl` for its certificate, and it isn't installed.",
                "Install it (on Debian: apt-get install openssl), or leave out --strict.",
            )
        last = self.current()
        if last is not None:
            process.end(last)  # it was killed: processes that it left would write into the new server
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
                    replace(record, pid=0).write(self._record_file)
            raise
        return record

    def end(self) -> bool:
        """End the server; return False if it wasn't running."""
        record = self.current()
        if record is None:
            return False
        stopped = process.end(record)
        if process.is_alive(record):
            raise UserError(
                f"The local environment's process {record.pid} doesn't end.", f"End it: kill -9 {record.pid}"
            )
        replace(record, pid=0).write(self._record_file)
        return stopped

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let only one command at a time start or stop the server."""
        make_private(self._state_dir)
        try:
            file = open_private(self._state_dir / "lock", "w")
        except OSError as error:
            raise unusable(self._state_dir, str(error.strerror)) from None
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
                            "Wait for that command or end it, then try again.",
                        ) from None
                    time.sleep(0.1)
            yield

    def _choose_port(self, port: int | None) -> int:
        if port is None:
            last = self.last()
            return last.port if last and process.is_port_free(last.port) else process.free_port()
        if not process.is_port_free(port):
            raise UserError(
                f"Port {port} of {HOST} is taken by another program, or you may not use it.",
                "Name another port with --port, or leave --port out for a free one.",
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
                problem = f"didn't answer on port {record.port} within {START_SECONDS:.0f} s"
            else:
                time.sleep(0.05)
                continue
            raise UserError(
                f"The local environment {problem}. The last lines of {self.log}:",
                "Run `make setup` if something isn't installed, then try again.",
                lines=self._last_lines(),
            )

    def _last_lines(self, count: int = 15) -> list[str]:
        try:
            lines = self.log.read_text(errors="replace").rstrip().splitlines()
        except FileNotFoundError:
            lines = []
        return lines[-count:] or ["(nothing)"]
