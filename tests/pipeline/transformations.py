"""The deployed pipeline with another transformation."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.pipeline.pipeline import Pipeline
from tests.support import ASSEMBLY

FUNCTIONS = ("etl-extract", "etl-transform", "etl-load")
FILE = "etl/transformation.py"


def code(folder: Path, source: str | None) -> bytes:
    """The functions' zip, with another transformation; None for its own."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            compiled = name.startswith("etl/__pycache__/transformation.")
            if path.is_file() and (source is None or not (compiled or name == FILE)):
                archive.write(path, name)
        if source is not None:
            archive.writestr(FILE, source)
    return body.getvalue()


@contextmanager
def deployed_transformation(pipeline: Pipeline, source: str, functions: tuple[str, ...] = FUNCTIONS) -> Iterator[None]:
    """Functions that have this transformation; they have their own again afterwards."""
    assembly = pipeline.deployed.environment.state_dir / ASSEMBLY
    (folder,) = {path.parents[1] for path in assembly.glob(f"asset.*/{FILE}")}
    try:
        for name in functions:
            pipeline.clients.lambda_.update_function_code(FunctionName=name, ZipFile=code(folder, source))
        yield
    finally:
        for name in functions:
            pipeline.clients.lambda_.update_function_code(FunctionName=name, ZipFile=code(folder, None))
