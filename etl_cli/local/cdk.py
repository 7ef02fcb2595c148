"""Runs the CDK CLI of the checkout against a local environment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from etl_cli.local.process import signals_deferred
from etl_cli.local.state_folder import narrow, open_private
from etl_cli.local.variables import ACCOUNT, REGION
from etl_cli.terminal.errors import UserError

KEPT_LINES = 30

# Folders of the checkout that the synthesis doesn't read. It may read any other.
_NO_SOURCES = {"node_modules", "cdk.out", "bench", "docs", "etl_cli", "tests", "__pycache__"}


def fingerprint_of(root: Path, stacks: Sequence[str], context: Mapping[str, str]) -> str:
    """Compute a digest of everything the synthesis depends on: files, stacks, context and interpreter.

    A synthesis bundles the code of the chosen stacks alone.
    """
    digest = hashlib.sha256(json.dumps([sys.version, list(stacks), sorted(context.items())]).encode())
    for folder, names, files in os.walk(root):
        ignored = _NO_SOURCES if Path(folder) == root else {"__pycache__"}  # your folder may have names like these
        names[:] = sorted(name for name in names if name not in ignored and not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class CdkRunner:
    """The CDK CLI with a local environment's variables. Its output and caches stay in the state folder."""

    def __init__(
        self, root: Path, state_dir: Path, environment: Mapping[str, str], on_line: Callable[[str], None] | None = None
    ) -> None:
        """Prepare the CDK CLI for a checkout. It gets the variables of `environment` alone."""
        self._root = root
        self._assembly = state_dir / "cdk.out"
        self._home = state_dir / "cdk-home"
        self._manifest = self._assembly / "manifest.json"
        self._fingerprint = state_dir / "cdk.out.fingerprint"
        self._outputs = self._home / "outputs.json"
        # The app reads and writes UTF-8, even if the user's terminal uses another encoding.
        self._environment = {**environment, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
        self._on_line = on_line or (lambda _: None)

    def bootstrap(self) -> None:
        """Prepare the environment for deployments: `cdk bootstrap`."""
        # Outside the checkout the CDK CLI finds no app, so it doesn't synthesize one.
        self._home.mkdir(exist_ok=True)
        self._run(["bootstrap", f"aws://{ACCOUNT}/{REGION}"], folder=self._home)

    def deploy(self, stacks: Sequence[str], context: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Deploy stacks with `cdk deploy`, and return their outputs. Synthesize first if anything has changed."""
        fingerprint = fingerprint_of(self._root, stacks, context)
        self._outputs.unlink(missing_ok=True)
        options = ["--require-approval", "never", "--progress", "events", "--outputs-file", str(self._outputs)]
        # The CDK CLI looks at a stack's progress every five seconds; the stacks don't depend on each other.
        options += ["--concurrency", str(len(stacks))]
        self._run(["deploy", *stacks, *options, *self._app(fingerprint, context)])
        with open_private(self._fingerprint, "w") as file:
            file.write(fingerprint)
        outputs: dict[str, dict[str, str]] = json.loads(self._outputs.read_bytes())
        return outputs

    def destroy(self, stacks: Mapping[str, str], context: Mapping[str, str]) -> None:
        """Delete stacks and their resources: `cdk destroy`, of the last deployed templates if these are theirs.

        Args:
            stacks: the name of each, by the name that the CDK CLI knows, which has no stage.
            context: chooses the stage, if they have to be synthesized.
        """
        app = ["--app", str(self._assembly)] if self._has(stacks) else self._synthesis(context)
        self._run(["destroy", *stacks, "--force", *app])

    @property
    def _is_whole(self) -> bool:
        """Whether the last synthesis ended, and its assembly is there."""
        return self._fingerprint.exists() and self._manifest.exists()

    def _has(self, stacks: Mapping[str, str]) -> bool:
        """Whether the last assembly is whole, and has these stacks."""
        if not self._is_whole:
            return False
        artifacts = json.loads(self._manifest.read_bytes())["artifacts"]
        made = {stack: artifacts.get(stack, {}).get("properties", {}).get("stackName", stack) for stack in artifacts}
        return stacks.items() <= made.items()

    def _app(self, fingerprint: str, context: Mapping[str, str]) -> list[str]:
        """Return the options that name the app: its last cloud assembly, if that is current."""
        if self._is_whole and self._fingerprint.read_text() == fingerprint:
            self._on_line("Nothing has changed since the last deployment: its template is used again")
            return ["--app", str(self._assembly)]
        self._on_line("Synthesizing the template")
        return self._synthesis(context)

    def _synthesis(self, context: Mapping[str, str]) -> list[str]:
        self._fingerprint.unlink(missing_ok=True)
        values = [part for key, value in context.items() for part in ("--context", f"{key}={value}")]
        return ["--output", str(self._assembly), *values]

    def _run(self, arguments: list[str], *, folder: Path | None = None) -> None:
        command = self._root / "node_modules" / ".bin" / "cdk"
        if not command.exists():
            raise UserError(f"The CDK CLI isn't installed: {command} doesn't exist.", "Install it: make setup")
        last: deque[str] = deque(maxlen=KEPT_LINES)
        code = self._follow(
            [str(command), *arguments, "--ci", "--no-color", "--no-notices"], folder or self._root, last
        )
        for written in (self._assembly, self._home):
            narrow(written)
        if code != 0:
            raise UserError(f"`cdk {arguments[0]}` failed with exit code {code}. Its last lines:", lines=last)

    def _follow(self, command: list[str], folder: Path, last: deque[str]) -> int:
        """Run a command, pass its lines on, keep the last ones, and return its exit code."""
        process: subprocess.Popen[str] | None = None
        try:
            with signals_deferred():
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    encoding="utf-8",  # as Node.js writes
                    errors="replace",
                    start_new_session=True,
                )
            for line in process.stdout or ():
                text = line.rstrip()
                if text:
                    last.append(text)
                    self._on_line(text)
            return process.wait()
        except BaseException:
            # Neither the CDK CLI nor the app, its child, gets the signal that interrupted this process.
            with signals_deferred(), contextlib.suppress(ProcessLookupError):
                if process is not None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            raise
