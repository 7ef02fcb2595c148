"""Which code this is: a run keeps to the code that planned it.

Segments' counts have positions and no names, ``transform()`` may have become another, and a table of another name is
another table. A deployment during a run would mix both unseen. So the code is compared before anything else of an
event is read: what another version has written may mean something else.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from etl.model.errors import CodeChangedError

# The functions' zip: this package, and those that it uses, of which a newer version may give another result.
ZIP = Path(__file__).parents[2]
# The folder in it that holds your code: transformation.py, and the modules beside it that it imports.
USER_CODE = "pipeline"
# The variable that names the bucket and the tables of all stages.
STORES = "STORES"


@cache
def code_version(stores: str, folder: Path = ZIP) -> str:
    """A digest of all sources of the functions, and of the names of bucket and tables, in 16 hexadecimal digits."""
    return _digest(folder, "", stores)


@cache
def engine_version(folder: Path = ZIP) -> str:
    """A digest of the sources that the workflow's definition must fit: all but your code."""
    return _digest(folder, USER_CODE)


def check_code(run: object, now: str) -> None:
    """Check that a run was planned by the code that there is now, before the run itself is read.

    Args:
        run: as an event or a manifest has it; others refuse what isn't a run.
        now: the version of this code.

    Raises:
        CodeChangedError: they have another.
    """
    if isinstance(run, Mapping) and (planned := run.get("code")) and planned != now:
        raise CodeChangedError(
            f"run {run.get('timestamp')} began with other code ({planned}) than the functions have now ({now}): "
            f"a deployment came in between. Start a new run of the window {run.get('start')} to {run.get('end')}"
        )


def check_engine(event: Mapping[str, Any]) -> None:
    """Check that the definition by which an execution runs was deployed with the functions' code.

    Raises:
        CodeChangedError: it wasn't.
    """
    told, now = event.get("engine"), engine_version()
    if told != now:
        raise CodeChangedError(
            f"the workflow was deployed with other code ({told}) than the functions have now ({now}): "
            "a deployment was going on when this run started. Once it is done, start the run again"
        )


def _digest(folder: Path, without: str, *more: str) -> str:
    sha = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if not without or not name.startswith(f"{without}/"):
            source = path.read_bytes()
            sha.update(f"{name}\0{len(source)}\0".encode() + source)
    sha.update("\0".join(more).encode())
    return sha.hexdigest()[:16]
