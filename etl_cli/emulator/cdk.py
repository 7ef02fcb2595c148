"""Runs the CDK CLI of the checkout against a local environment."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from etl_cli.emulator.variables import ACCOUNT, REGION
from etl_cli.errors import UserError

KEPT_LINES = 30


class CdkRunner:
    """The CDK CLI with a local environment's variables; its output and its caches stay in the state folder."""

    def __init__(
        self, root: Path, state_dir: Path, environment: Mapping[str, str], on_line: Callable[[str], None] | None = None
    ) -> None:
        """Remember where to work.

        Args:
            root: the checkout, whose cdk.json names the app.
            state_dir: the local environment's folder.
            environment: the whole environment of the CDK CLI, `LocalEnvironment.environ()`.
            on_line: called with each line that the CDK CLI prints.
        """
        self._root = root
        self._state_dir = state_dir
        self._environment = dict(environment)
        self._on_line = on_line or (lambda _: None)

    def bootstrap(self) -> None:
        """Make the environment ready for deployments: `cdk bootstrap`."""
        # Outside the checkout the CDK CLI finds no app, and does not synthesize it for nothing.
        self._run(["bootstrap", f"aws://{ACCOUNT}/{REGION}"], self._state_dir)

    def deploy(self, stack: str, context: Mapping[str, str]) -> None:
        """Synthesize and deploy a stack: `cdk deploy`."""
        self._run(["deploy", stack, "--require-approval", "never", *self._options(context)], self._root)

    def destroy(self, stack: str, context: Mapping[str, str]) -> None:
        """Delete a stack and what it made: `cdk destroy`."""
        self._run(["destroy", stack, "--force", *self._options(context)], self._root)

    def _options(self, context: Mapping[str, str]) -> list[str]:
        values = [part for key, value in context.items() for part in ("--context", f"{key}={value}")]
        return ["--progress", "events", "--output", str(self._state_dir / "cdk.out"), *values]

    def _run(self, arguments: list[str], folder: Path) -> None:
        command = self._root / "node_modules" / ".bin" / "cdk"
        if not command.exists():
            raise UserError(f"The CDK CLI is not installed: there is no {command}.", "Install it: make setup")
        last: deque[str] = deque(maxlen=KEPT_LINES)
        process = subprocess.Popen(
            [str(command), *arguments, "--ci", "--no-color", "--no-notices"],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe, as asked
            for line in process.stdout:
                text = line.rstrip()
                if text:
                    last.append(text)
                    self._on_line(text)
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if code != 0:
            output = "\n".join(f"  {line}" for line in last)
            raise UserError(f"`cdk {arguments[0]}` failed with exit code {code}. Its last lines:\n{output}")
