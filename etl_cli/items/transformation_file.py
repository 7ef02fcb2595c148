"""Loads a transformation file as it is on disk now, however often it has been loaded before."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from io import StringIO
from linecache import checkcache, getline
from pathlib import Path
from types import CodeType, ModuleType

from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT
from serverless_app.grammar import check_grammar

# What the functions know it by.
_NAME = "transformation"
_REMEDY = "Correct it; docs/transformations.md shows how one is written."
_loaded_before: dict[Path, frozenset[str]] = {}


class _Source(SourceFileLoader):
    """Compiles the source at hand: bytecode is told from older source by whole seconds, which is too coarse."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader's protocol
        check_grammar(Path(self.path))
        return self.source_to_code(self.get_data(self.path), self.path)


def load(path: Path, seconds: float) -> ModuleType:
    """Load the file, and anew whatever module beside it was imported since it was loaded before.

    Args:
        path: the file.
        seconds: how long that may take.

    Raises:
        UserError: it isn't there, or can't be imported; the message says in which line, and why.
    """
    _try(path, seconds)
    return _load(path)


def _try(path: Path, seconds: float) -> None:
    """Load the file in a child process first: it may end its process, or never come to an end.

    Raises:
        UserError: it does.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os.close(reader)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for output in (1, 2):
                os.dup2(nowhere, output)
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()), suppress(UserError, KeyboardInterrupt):
                _load(path)  # what is wrong with it, the same in this process tells
            os.write(writer, b".")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        ended = bool(select.select([answer], [], [], seconds)[0])
        survived = ended and bool(answer.read(1))
    if not ended:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not survived:
        raise broken(
            path, "it ends its process when it is imported" if ended else f"to import it takes over {seconds} s"
        )


def _load(path: Path) -> ModuleType:
    for name in _own_modules(path):
        del sys.modules[name]
    _loaded_before.setdefault(path, frozenset(sys.modules) | {_NAME})
    loader = _Source(_NAME, str(path))
    module = module_from_spec(ModuleSpec(_NAME, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[_NAME] = module  # types that are named as text are looked up there
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: it is the file's, not the command's
        raise _broken(path, error) from error
    finally:
        sys.dont_write_bytecode = writes_bytecode
    return module


def files(path: Path) -> list[Path]:
    """The file, and those beside it that it has imported."""
    return [path, *(Path(str(sys.modules[name].__file__)) for name in _own_modules(path))]


def broken(path: Path, problem: str, line: int = 0) -> UserError:
    """The error of a file that can't be used, with the line that is to blame, if one is."""
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    checkcache(str(path))
    source = getline(str(path), line).strip() if line else ""
    where = f"{shown}, line {line}" if line else str(shown)
    return UserError(f"{where}: {problem}", _REMEDY, lines=[f"  {source}"] if source else ())


def _own_modules(path: Path) -> list[str]:
    """The modules in the file's folder that came after it was loaded for the first time."""
    known = _loaded_before.get(path)
    if known is None:
        return []
    folder = path.parent.resolve()
    return [
        name
        for name, module in list(sys.modules.items())
        if name not in known
        and (file := getattr(module, "__file__", None))
        and Path(file).resolve().is_relative_to(folder)
    ]


def _broken(path: Path, error: BaseException) -> UserError:
    problem = f"{type(error).__name__}: {error}"
    if isinstance(error, FileNotFoundError) and error.filename == str(path):
        return broken(path, "there is no such file")
    if isinstance(error, SyntaxError):
        return broken(Path(error.filename or path), f"SyntaxError: {error.msg}", error.lineno or 0)
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return broken(path, problem, lines[-1] if lines else 0)
