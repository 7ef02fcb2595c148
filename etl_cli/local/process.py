"""The server's process: record it, recognise it, and end it without touching any other process."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from etl_cli.local.identity import IDENTITY_PATH, NONCE_HEADER, proves, question
from etl_cli.local.state_folder import open_private

HOST = "127.0.0.1"
TERMINATION_SECONDS = 1.5
MARK_VARIABLE = "ETL_SERVER"

# Servers that this process started. A child that ended must be waited for, or it stays a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ServerRecord:
    """A started server, as recorded in the state folder.

    Attributes:
        pid: the leader of a process group that includes the functions' processes; 0 once stopped.
        token: an argument of its command line that no other process has. Every user of the machine can see it.
        started_at: ISO 8601, UTC.
        settings: additional environment variables.
    """

    pid: int
    port: int
    token: str
    started_at: str
    strict: bool
    settings: dict[str, str]
    key: str = ""
    secret: str = ""

    @property
    def endpoint(self) -> str:
        """The URL that AWS clients use."""
        return f"{'https' if self.strict else 'http'}://{HOST}:{self.port}"

    def write(self, path: Path) -> None:
        """Record the server in a file, atomically."""
        draft = path.with_suffix(".draft")
        with open_private(draft, "w") as file:
            file.write(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> ServerRecord | None:
        """Read the server that a file records; None without a usable file."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer signals that end the program to the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals interrupt only the main thread
        return
    pending: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    deferred = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in deferred:
        signal.signal(number, lambda received, _frame: pending.append(received))
    try:
        yield
    finally:
        for number, handler in deferred.items():
            signal.signal(number, handler)
        for received in pending:
            signal.raise_signal(received)


def spawn(command: list[str], environment: dict[str, str], folder: Path, log: Path) -> int:
    """Start a process that outlives this one, in its own process group, and return its pid."""
    with open_private(log, "w") as output:
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    _children[child.pid] = child
    return child.pid


def is_alive(record: ServerRecord) -> bool:
    """Whether the recorded process still runs, and no other process has its pid."""
    child = _children.get(record.pid)
    if child is not None:
        return child.poll() is None
    return record.token in _command_line(record.pid).split()


def _command_line(pid: int) -> str:
    """Read a process's command line; empty without such a process, or for a zombie."""
    path = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listing = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return listing.stdout


def answers(record: ServerRecord, timeout_seconds: float = 10.0) -> bool:
    """Whether the recorded server, and no other, answers on its port."""
    connection = http.client.HTTPConnection(HOST, record.port, timeout=timeout_seconds)
    if record.strict:
        # The server made the certificate itself; its proof identifies it.
        unverified = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(HOST, record.port, timeout=timeout_seconds, context=unverified)
    try:
        asked = question(record.secret)
        connection.request("GET", IDENTITY_PATH, headers=asked)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    given = answer.get("proof") if isinstance(answer, dict) else None
    return isinstance(given, str) and proves(given, record.secret, "server", asked[NONCE_HEADER])


def end(record: ServerRecord) -> bool:
    """End the recorded server and its functions' processes; return False if it wasn't running."""
    if not is_alive(record):
        _end_orphans(record)
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    _wait_until_dead(record, TERMINATION_SECONDS)
    # Working functions don't notice the server's end, and a server may ignore the signal.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(record.pid, signal.SIGKILL)
    _wait_until_dead(record, TERMINATION_SECONDS)
    _end_orphans(record)
    return True


def _end_orphans(record: ServerRecord) -> None:
    """End the processes that a dead server left behind: they have its token (Linux shows it, macOS doesn't)."""
    deadline = time.monotonic() + TERMINATION_SECONDS
    while (orphans := _marked(record)) and time.monotonic() < deadline:
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _marked(record: ServerRecord) -> list[int]:
    """List the processes that inherited a server's token."""
    mark, found = f"{MARK_VARIABLE}={record.token}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ") if record.token else ():
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _wait_until_dead(record: ServerRecord, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while is_alive(record) and time.monotonic() < deadline:
        time.sleep(0.02)


def free_port() -> int:
    """Find a free port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
