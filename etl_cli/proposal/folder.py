"""The folder of a new pipeline: all of its files are written, or none."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from etl.model.names import SPECIFIED, Names
from etl.model.setting import SettingsError
from etl.model.settings_sources import PIPELINES, app_settings, cdk_context, check_name
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT

# Of a rename to the place of a folder with content, or of a file.
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


def new_folder(context: Mapping[str, str], pipeline: str) -> Path:
    """The path of a new pipeline's folder, which doesn't exist yet.

    Args:
        context: values of the CDK's context.
        pipeline: the pipeline's name.

    Raises:
        UserError: no pipeline can have the name, or there is such a folder, or it would be outside of the checkout.
    """
    folder = folder_of(context, pipeline)
    if os.path.lexists(folder):
        raise UserError(
            f"{shown(folder)} exists, and is left as it is. Nothing was written.", "Give another name, or move it away."
        )
    return folder


def folder_of(context: Mapping[str, str], pipeline: str) -> Path:
    """The path of a pipeline's folder.

    Raises:
        UserError: no pipeline can have the name, or the folder would be outside of the checkout.
    """
    try:
        check_name(pipeline)
    except SettingsError as error:
        raise UserError(str(error).removesuffix(": rename its folder.") + ".", "Give another name.") from None
    return pipelines_folder(context) / pipeline


def names_of(context: Mapping[str, str], pipeline: str) -> Names:
    """The names of a pipeline, with the stage of the context.

    Raises:
        UserError: the context's stage isn't allowed.
    """
    try:
        return Names(pipeline, app_settings({**cdk_context(ROOT), **context}).get("stage"))
    except SettingsError as error:
        raise UserError(str(error)) from None


def pipelines_folder(context: Mapping[str, str]) -> Path:
    """The folder with a folder for each pipeline.

    Raises:
        UserError: it isn't in the checkout.
    """
    try:
        found = app_settings({**cdk_context(ROOT), **context}).get("pipelines", PIPELINES)
        pipelines: Path = (ROOT / found).resolve()
    except SettingsError as error:
        raise UserError(str(error)) from None
    if not pipelines.is_relative_to(ROOT.resolve()):
        raise UserError(
            f"The pipelines' folder must be in the checkout, got {pipelines}.", f"Correct {SPECIFIED}:pipelines."
        )
    return pipelines


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write a folder with files: beside its place first, and then under its name.

    Raises:
        UserError: somebody has made such a folder meanwhile, or the files can't be written.
    """
    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A level deeper than the finder of pipelines looks.
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        whole = draft / folder.name
        whole.mkdir()
        for name, text in files.items():
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            (whole / name).write_text(text, encoding="utf-8")
        whole.rename(folder)
    except OSError as error:
        if error.errno in _TAKEN:
            raise UserError(f"{shown(folder)} exists, and is left as it is. Nothing was written.") from None
        raise UserError(f"{shown(folder)} can't be written: {error.strerror}.") from None
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def shown(path: Path) -> str:
    """A path as the checkout has it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
