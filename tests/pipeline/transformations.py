"""The deployed pipeline with another transformation."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.pipeline.pipeline import Pipeline
from tests.support import ASSEMBLY

FUNCTIONS = ("etl-extract", "etl-transform", "etl-load")
FILE = "pipeline/transformation.py"


def code(folder: Path, changed: Mapping[str, str]) -> bytes:
    """The functions' zip, in which these files have other contents."""
    compiled = tuple(f"{Path(name).parent}/__pycache__/{Path(name).stem}." for name in changed)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:  # compressing takes longer than anything that is done with it
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in changed and not name.startswith(compiled):
                archive.write(path, name)
        for name, source in changed.items():
            archive.writestr(name, source)
    return body.getvalue()


def deploy(pipeline: Pipeline, changed: Mapping[str, str], functions: tuple[str, ...] = FUNCTIONS) -> None:
    """Give functions their own code with these files changed."""
    assembly = pipeline.deployed.environment.state_dir / ASSEMBLY
    (folder,) = {path.parents[1] for path in assembly.glob(f"asset.*/{FILE}")}
    body = code(folder, changed)
    for name in functions:
        pipeline.clients.lambda_.update_function_code(FunctionName=name, ZipFile=body)


@contextmanager
def deployed_transformation(pipeline: Pipeline, source: str, functions: tuple[str, ...] = FUNCTIONS) -> Iterator[None]:
    """Functions that have this transformation; they have their own again afterwards."""
    try:
        deploy(pipeline, {FILE: source}, functions)
        yield
    finally:
        deploy(pipeline, {}, functions)
