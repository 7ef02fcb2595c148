"""Loads a transformation file as it is on disk now, even if it was loaded before."""

from __future__ import annotations

import multiprocessing
import os
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

# The module's name in the functions.
_NAME = "transformation"
_REMEDY = "Correct the file; docs/transformations.md shows how to write one."
# The exit status of a child that has loaded the file, which no file chooses by chance.
_LOADED = 87
_fork = multiprocessing.get_context("fork")
_loaded_before: dict[Path, frozenset[str]] = {}


class _Source(SourceFileLoader):
    """Compiles the source itself: bytecode may be older, since Python compares whole seconds."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader's protocol
        check_grammar(Path(self.path))
        return self.source_to_code(self.get_data(self.path), self.path)


def load(path: Path, seconds: float) -> ModuleType:
    """Load the file within a time limit, and again each module of its folder that it imports.

    Raises:
        UserError: the file is missing, or can't be imported. The message says in which line, and why.
    """
    _try(path, seconds)
    return _load(path)


def _try(path: Path, seconds: float) -> None:
    """Load the file in a child process first: it may end its process, or never come to an end."""
    child = _fork.Process(target=_load_silently, args=(path,), daemon=True)
    child.start()
    child.join(seconds)
    code = child.exitcode
    child.kill()
    child.join()
    if code is None:
        raise broken(path, f"its import takes over {seconds} s")
    if code != _LOADED:
        raise broken(path, "its import ends the process")


def _load_silently(path: Path) -> None:
    """Load the file in a child process. The parent finds the same faults, and reports them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), suppress(UserError, KeyboardInterrupt):
        _load(path)
    os._exit(_LOADED)


def _load(path: Path) -> ModuleType:
    for name in _own_modules(path):
        del sys.modules[name]
    _loaded_before.setdefault(path, frozenset(sys.modules) | {_NAME})
    if (folder := str(path.parent)) not in sys.path:
        sys.path.append(folder)  # last, as in the functions: its modules replace no others
    loader = _Source(_NAME, str(path))
    module = module_from_spec(ModuleSpec(_NAME, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[_NAME] = module  # types that are named as text are looked up there
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: the file raised it, not the command
        raise _broken(path, error) from error
    finally:
        sys.dont_write_bytecode = writes_bytecode
    return module


def files(path: Path) -> list[Path]:
    """The file, and the files of its folder that it has imported."""
    return [path, *(Path(str(sys.modules[name].__file__)) for name in _own_modules(path))]


def broken(path: Path, problem: str, line: int = 0) -> UserError:
    """The error for a file that can't be used, with the line at fault, if there is one."""
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    checkcache(str(path))
    source = getline(str(path), line).strip() if line else ""
    where = f"{shown}, line {line}" if line else str(shown)
    return UserError(f"{where}: {problem}", _REMEDY, lines=[f"  {source}"] if source else ())


def _own_modules(path: Path) -> list[str]:
    """The modules in the file's folder that were imported since the first loading."""
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
