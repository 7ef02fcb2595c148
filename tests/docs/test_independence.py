"""Your code in pipelines/ stands apart: nothing else imports it, and the tests have a transformation of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import transformation
from tests.support import PIPELINE, ROOT

# They name the folder: as the default of a setting or an option, or in a copy of the checkout.
NAME_IT = {
    "tests/docs/test_independence.py",
    "tests/etl_pipeline/test_etl_pipeline.py",
    "tests/infrastructure/test_bundling.py",
    "tests/pipeline/test_replaced_transformation.py",
    # Folders of this name in checkouts that the tests make.
    "tests/cli/test_local.py",
    "tests/cli/test_settings.py",
    "tests/proposals.py",  # the rules for Python in pipelines/
    "tests/unit/test_settings_sources.py",
}
TREES = ("bench", "etl_cli", "runtime", "serverless_app", "tests")


def sources() -> Iterator[tuple[str, ast.AST]]:
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_bytes())


@pytest.fixture(scope="module")
def nodes() -> list[tuple[str, ast.AST]]:
    return [(path, node) for path, tree in sources() for node in ast.walk(tree)]


def test_nothing_imports_from_pipelines(nodes: list[tuple[str, ast.AST]]) -> None:
    imported = [
        (path, name)
        for path, node in nodes
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]

    assert [each for each in imported if each[1].partition(".")[0] == "pipelines"] == []


def test_nothing_else_opens_a_file_of_pipelines(nodes: list[tuple[str, ast.AST]]) -> None:
    """The word alone is the name of a setting too."""
    named = {path for path, node in nodes if any(is_folder(each) for each in parts_of_path(node))}

    assert named
    assert named <= NAME_IT


def parts_of_path(node: ast.AST) -> list[ast.expr]:
    """The parts that an expression joins to a path."""
    match node:
        case ast.BinOp(left=ast.BinOp(right=ast.Constant(value="fixtures"))):
            return []  # the folder of the suite's own pipelines has the same name
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            return [left, right]
        case ast.Call(func=ast.Name(id="Path") | ast.Attribute(attr="joinpath" | "join"), args=arguments):
            return arguments
        case _:
            return []


def is_folder(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.split("/")[0] == "pipelines"


def test_the_tests_import_their_own_transformation() -> None:
    assert Path(transformation.__file__ or "") == ROOT / PIPELINE / "transformation.py"
