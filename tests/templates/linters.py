"""cfn-lint and checkov, in their own environment and without the network, on templates."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.templates.exceptions import CHECKOV, LINT, Excepted

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-lint" / "bin" / "python"
SCRIPT = Path(__file__).with_name("run_linters.py")


class Violation(NamedTuple):
    """A check that a resource doesn't follow."""

    check: str
    kind: str
    resource: str
    words: str


def problems(templates: Sequence[Path]) -> list[str]:
    """The findings of both that aren't excepted."""
    done = subprocess.run(
        [str(PYTHON), str(SCRIPT), *map(str, templates)],
        cwd=PYTHON.parent,  # a folder without settings of the linters
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return [f"cfn-lint or checkov failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"]
    answer = json.loads(done.stdout.splitlines()[-1])
    found = {name: [Violation(*each) for each in answer[name]] for name in ("lint", "checkov")}
    return [*unexpected(found["lint"], LINT), *unexpected(found["checkov"], CHECKOV)]


def unexpected(found: Iterable[Violation], exceptions: Sequence[Excepted]) -> list[str]:
    """Violations without an exception, and exceptions that nothing needs, in words."""
    excepted = {(each.check, each.kind) for each in exceptions}
    violations = sorted(set(found))
    needed = {(each.check, each.kind) for each in violations}
    new = [each for each in violations if (each.check, each.kind) not in excepted]
    return [
        *(f"{each.check} {each.resource} ({each.kind}): {each.words}" for each in new),
        *(f"{check} {kind}: no template needs this exception any more" for check, kind in sorted(excepted - needed)),
    ]
