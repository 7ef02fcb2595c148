"""The version of the functions' code. A run ends with the code that planned it.

Counts have positions instead of names, ``transform()`` may have changed, and a setting may name another table. A
deployment during a run would mix old and new without a sign. So the version is compared before anything else of an
event is read.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from etl.model.errors import CodeChangedError

# The functions' zip: this package and its dependencies, since a new version of one may give another result.
ZIP = Path(__file__).parents[2]
# The folder in the zip with your code: transformation.py and the modules that it imports.
USER_CODE = "pipeline"
# The environment variable with the names of the bucket and the tables of all stages.
STORES = "STORES"


@cache
def code_version(stores: str, folder: Path = ZIP) -> str:
    """A digest of the functions' sources, of your data files, and of the names of bucket and tables, in 16 digits."""
    sha = _engine(folder).copy()
    _add(sha, folder, (file for file in _files(folder / USER_CODE) if not file.endswith(".pyc")))
    sha.update(stores.encode())
    return sha.hexdigest()[:16]


def engine_version(folder: Path = ZIP) -> str:
    """A digest of the sources that the workflow's definition must fit: all except your code."""
    return _engine(folder).hexdigest()[:16]


def check_code(run: object, now: str) -> None:
    """Check that this code planned a run, before anything else of the run is read.

    Args:
        run: the run as an event or a manifest has it. Anything else passes: others check its shape.
        now: the version of this code.

    Raises:
        CodeChangedError: other code planned the run.
    """
    if isinstance(run, Mapping) and (planned := run.get("code")) and planned != now:
        raise CodeChangedError(
            f"run {run.get('timestamp')} began with other code ({planned}) than the functions have now ({now}): "
            f"a deployment came in between. Start a new run of the window {run.get('start')} to {run.get('end')}"
        )


def check_engine(event: Mapping[str, Any]) -> None:
    """Check that the execution's definition was deployed together with this code.

    Raises:
        CodeChangedError: it was deployed with other code.
    """
    deployed, now = event.get("engine"), engine_version()
    if deployed != now:
        raise CodeChangedError(
            f"the workflow was deployed with other code ({deployed}) than the functions have now ({now}): "
            "a deployment was in progress when this run started. Start the run again when it is done"
        )


@cache
def _engine(folder: Path) -> "hashlib._Hash":
    """The state of the digest after all sources except yours: Plan needs both versions and reads the zip once."""
    sha = hashlib.sha256()
    yours = f"{folder / USER_CODE}/"
    _add(sha, folder, (file for file in _files(folder) if file.endswith(".py") and not file.startswith(yours)))
    return sha


def _files(folder: Path) -> Iterator[str]:
    """The files of a folder; ``Path.rglob`` takes twice as long, at each cold start."""
    for here, _, names in os.walk(folder):
        yield from (f"{here}/{name}" for name in names)


def _add(sha: "hashlib._Hash", folder: Path, files: Iterable[str]) -> None:
    for file in sorted(files):
        source = Path(file).read_bytes()
        sha.update(f"{file.removeprefix(f'{folder}/')}\0{len(source)}\0".encode() + source)
