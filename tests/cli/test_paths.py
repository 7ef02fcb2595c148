"""The command as messages name it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from etl_cli.terminal import paths


@pytest.mark.parametrize("name", ["etl", "my project, für später", "it's $HOME"])
def test_path_of_the_command_can_be_typed_into_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path / name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    typed = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s|' {paths.command()} local start"], capture_output=True, text=True, check=True
    )

    assert typed.stdout == f"{tmp_path / name}/.venv/bin/etl|local|start|"
