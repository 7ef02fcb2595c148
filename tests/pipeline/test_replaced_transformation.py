"""Your transformation in place of the shipped one, in a copy of the checkout: user's tests, demo and script pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.docs.examples import tutorial, tutorial_tests
from tests.support import ROOT

COPIED = ("app.py", "cdk.json", "pyproject.toml", "etl_cli", "pipelines", "requirements", "runtime", "serverless_app")
OTHER = ROOT / "tests" / "fixtures" / "readings"
ETL = [sys.executable, "-c", "import sys; from etl_cli.main import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, which uses the tools that are installed for this one."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.rmtree(folder / "pipelines" / "etl")
    for name in (".venv", "node_modules", ".build", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def environment(make_environment: Callable[[], LocalEnvironment]) -> LocalEnvironment:
    """An environment that the first demo starts."""
    return make_environment()


@pytest.fixture
def yours(checkout: Path) -> Iterator[Path]:
    """The folder of your transformation, empty."""
    folder = checkout / "pipelines" / "etl"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def done(checkout: Path, *command: str, folder: str = ".", **variables: str) -> str:
    """The output of a command that succeeds."""
    own = {"PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'runtime'}", "COLUMNS": "80"}
    ended = subprocess.run(
        command,
        cwd=checkout / folder,
        env=os.environ | own | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def demo_and_script(checkout: Path, environment: LocalEnvironment) -> tuple[str, str]:
    """The output of the user's tests, the demo and the script, which all succeed."""
    done(checkout, sys.executable, "-m", "pytest", "-q", folder="pipelines/etl")
    shown = done(checkout, *ETL, "demo", "--items", "100", ETL_LOCAL_DIR=str(environment.state_dir))
    folder = ("--pipeline", str(checkout / "pipelines" / "etl"))
    script = done(
        checkout, sys.executable, "tests/etl_pipeline/test_etl_pipeline.py", *folder, **environment.variables()
    )
    return " ".join(shown.split()), script


def test_a_transformation_that_fits_the_demos_items(checkout: Path, yours: Path, environment: LocalEnvironment) -> None:
    (yours / "transformation.py").write_text(tutorial())
    (yours / "test_transformation.py").write_text(tutorial_tests())

    shown, script = demo_and_script(checkout, environment)

    assert re.search(r"✔ \d+ loaded, .* nothing unaccounted for", shown)
    assert "checked against each other" in script
    assert re.search(r"All \d+ steps passed", script)


def test_a_transformation_of_a_quite_different_table(
    checkout: Path, yours: Path, environment: LocalEnvironment
) -> None:
    shutil.copytree(OTHER, yours, dirs_exist_ok=True)

    shown, script = demo_and_script(checkout, environment)

    assert "The demo's items don't fit your transformation.py" in shown
    assert re.search(r"(\d+) of \1 items were rejected", shown)
    assert "sensor: is missing (" in shown
    assert "etl preview" in shown
    assert "unaccounted" not in shown
    assert "The sample's items don't fit your transformation" in script
    assert "sensor: is missing (" in script
