"""Proposals for made-up tables, without AWS: the files that `etl new` would write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etl.model.keys import parse_keys
from etl.model.names import Names
from etl.model.settings_sources import FILE, TRANSFORMATION
from etl_cli.proposal.choices import Answers, choose_cursor, choose_type
from etl_cli.proposal.findings import findings_of
from etl_cli.proposal.proposal import Findings, Proposal
from etl_cli.proposal.sampling import TableDescription, TableSample
from etl_cli.proposal.toml_source import settings_source
from etl_cli.proposal.transformation_source import test_source, transformation_source
from tests.support import PIPELINE, ROOT

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TEST = f"test_{TRANSFORMATION}"
Item = Mapping[str, Any]
_RULES = ROOT / "pipelines"
# The types of the libraries are read once for all folders.
_TYPES = str(ROOT / ".mypy_cache" / "proposals")


def described(key: str = "id:S", **facts: Any) -> TableDescription:
    """A table with this key."""
    place = {"region": "eu-west-1", "endpoint": "https://dynamodb.eu-west-1.amazonaws.com"}
    return TableDescription(**{"name": "orders-prod", "key": parse_keys(key), **place, **facts})


def found(items: Iterable[Item], key: str = "id:S", **facts: Any) -> Findings:
    """The findings about a table with these items of DynamoDB JSON; binary values are base64."""
    lines = [json.dumps(item).encode() for item in items]
    return findings_of(described(key, **facts), TableSample(lines, whole=True), NOW)


def proposed(
    items: Iterable[Item],
    key: str = "id:S",
    answers: Answers = Answers(every=True),  # noqa: B008 - it is frozen
    destination: TableDescription | None = None,
    **facts: Any,
) -> Proposal:
    """The pipeline for a table with these items."""
    findings = found(items, key, **facts)
    entity = choose_type(findings, answers)
    of_type = findings_of(findings.table, findings.sample, NOW, entity) if entity else findings
    return Proposal(
        names=Names("orders"),
        found=findings,
        profile=of_type.profile,
        candidates=of_type.candidates,
        cursor=choose_cursor(of_type, answers, entity),
        entity=entity,
        destination=destination,
    )


def files_of(proposal: Proposal) -> dict[str, str]:
    """The files, by their names."""
    return {
        FILE: settings_source(proposal),
        TRANSFORMATION: transformation_source(proposal),
        TEST: test_source(proposal),
    }


def written(folder: Path, proposal: Proposal) -> Path:
    """A folder with the files."""
    folder.mkdir(parents=True)
    for name, text in files_of(proposal).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def lint(folder: Path) -> str:
    """The findings of the linter and of the formatter in the Python of a folder, as if it were in pipelines/."""
    complaints = []
    for name in (TRANSFORMATION, TEST):
        for words in (("check", "--output-format=concise"), ("format", "--check", "--diff")):
            # The name decides on the rules.
            own = ["--no-cache", "--stdin-filename", str(_RULES / "orders" / name), "-"]
            done = subprocess.run(
                [_tool("ruff"), *words, *own],
                input=(folder / name).read_bytes(),
                capture_output=True,
                check=False,
                cwd=ROOT,
            )
            if done.returncode:
                complaints.append(f"{name}: {(done.stdout + done.stderr).decode(errors='replace')}")
    return "\n".join(complaints)


def type_errors(folder: Path) -> str:
    """The type checker's findings in a folder."""
    done = subprocess.run(
        [_tool("mypy"), "--config-file", str(_RULES / "mypy.ini"), "--cache-dir", _TYPES, "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode else ""


def failed_tests(folder: Path) -> str:
    """The output of the folder's own tests, if one fails or there is none."""
    options = ["-q", "-p", "no:cacheprovider", "-c", str(_RULES / "pytest.ini"), "--rootdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout if done.returncode else ""


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@contextmanager
def spare_pipelines(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Path]:
    """A folder of pipelines in the checkout, with the specification's; the home's cdk.json names it."""
    made = ROOT / ".build" / f"pipelines-{home.name}-{os.getpid()}"
    shutil.copytree(ROOT / PIPELINE, made / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    (home / ".cdk.json").write_text(json.dumps({"context": {"etl:pipelines": str(made.relative_to(ROOT))}}))
    monkeypatch.setenv("HOME", str(home))
    try:
        yield made
    finally:
        shutil.rmtree(made)
