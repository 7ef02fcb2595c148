"""`.venv/bin/etl` starts in any checkout and with any variable for Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT


@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONSTARTUP", "PYTHONINSPECT"])
def test_command_starts_whatever_python_is_told(tmp_path: Path, variable: str) -> None:
    for name in ("etl", "etl_cli", "rich", "typer", "boto3", "typing"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong package')")

    done = subprocess.run(
        [ROOT / ".venv/bin/etl", "--help"],
        env={"PATH": "/usr/bin:/bin", variable: str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Usage: etl" in done.stdout


def test_command_starts_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "etl").symlink_to(ROOT / ".venv/bin/etl")

    assert "Usage: etl" in subprocess.check_output([tmp_path / "etl", "--help"], text=True)


def test_packages_are_found_in_any_encoding_of_the_path() -> None:
    """Python reads a .pth file in the locale's encoding."""
    (file,) = (ROOT / ".venv").glob("lib/python3*/site-packages/_etl_pipeline.pth")
    folders = [(file.parent / line).resolve() for line in file.read_text(encoding="ascii").splitlines()]

    assert folders == [ROOT, ROOT / "runtime"]
    assert not any(Path(line).is_absolute() for line in file.read_text().splitlines())
