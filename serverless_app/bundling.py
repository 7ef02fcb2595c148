"""The functions' one asset: the package ``etl``, its dependencies and your code; reproducible, without Docker."""

import errno
import functools
import hashlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from etl.invocation.code_version import USER_CODE
from serverless_app.grammar import FUNCTIONS_PYTHON, GrammarError, check_grammar
from serverless_app.settings import CHECKOUT, PipelineSettings

PYTHON_VERSION = ".".join(map(str, FUNCTIONS_PYTHON))
_CACHE_TAG = f"cpython-{PYTHON_VERSION.replace('.', '')}"

# Lambda's Python 3.11 runs on Amazon Linux 2, which has glibc 2.26; manylinux2014 asks for 2.17.
_PLATFORMS = {"x86_64": "x86_64-manylinux2014", "arm64": "aarch64-manylinux2014"}

# To be raised when the same inputs are to give another bundle: those kept from before are then not taken.
_LAYOUT = "4"

_NOT_SOURCE = (".*", "*~", "__pycache__", "tests")
# Beside your code: its tests, its settings, notes.
_NOT_USER_CODE = (*_NOT_SOURCE, "test_*", "*_test.py", "conftest.py", "*.toml", "*.md")
# What an installer says about itself and its run, and RECORD, which lists these. METADATA and licences stay.
_NOT_PACKAGE = (".*", "__pycache__", "bin", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_*.json")


class BundlingError(RuntimeError):
    """The functions' code could not be put together. The message says why and what to do."""


def bundle(
    settings: PipelineSettings,
    *,
    source: Path = CHECKOUT / "runtime" / "etl",
    pipeline: Path | None = None,
    lock: Path = CHECKOUT / "requirements" / "runtime.txt",
    output: Path = CHECKOUT / ".build" / "lambda",
    uv: Sequence[str] = ("sh", str(CHECKOUT / "requirements" / "uv.sh")),
) -> Path:
    """Put the functions' code together, or find it as an earlier call left it.

    The name of a bundle follows from what goes into it, so one that is there is current. It is moved into place
    when it is complete: a crash leaves no half of one, and two calls at once do not disturb each other.

    Every source is compiled, so that none with an error is deployed. Bytecode is kept beside the sources when this
    interpreter is of the functions' version: a function's folder can't be written to, and it would compile everything
    at each cold start.

    Args:
        settings: its ``architecture`` and ``lambda_platform`` say for which machine.
        source: the package with the handlers.
        pipeline: the folder with transformation.py; that of the settings if left out.
        lock: its dependencies, with the hashes that are enforced.
        output: where bundles are kept, if it can be written to.
        uv: the command that runs uv.

    Returns:
        The folder that becomes the Lambda's zip.

    Raises:
        BundlingError: the dependencies could not be installed, or the functions' Python can't compile the code.
    """
    machine, options = _target(settings)
    # Bytecode of another version would lie there unused.
    bytecode = settings.lambda_platform == "host" or sys.implementation.cache_tag == _CACHE_TAG
    packages_key = _digest(_LAYOUT, machine, lock.read_bytes())
    pipeline = pipeline or CHECKOUT / settings.pipeline
    trees = ((source, source.name, _NOT_SOURCE), (pipeline, USER_CODE, _NOT_USER_CODE))
    code = [
        part
        for tree, name, ignored in trees
        for path in _files(tree, ignored)
        for part in (f"{name}/{_name(path, tree)}", path.read_bytes())
    ]

    output = _writable(output)
    install = [*uv, "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", *options]
    packages = _once(output / f"packages-{packages_key}", lambda into: _install([*install, "-r", str(lock)], into))

    def combine(into: Path) -> None:
        _copy(packages, into, ())
        for tree, name, ignored in trees:
            _check(tree, ignored)
            _copy(tree, into / name, ignored)
        if bytecode:
            _compile(into)

    compiled = sys.implementation.cache_tag if bytecode else ""
    return _once(output / f"bundle-{_digest(packages_key, compiled, *code)}", combine)


def _target(settings: PipelineSettings) -> tuple[str, list[str]]:
    """Name the machine that runs the functions, and give uv's options for it."""
    if settings.lambda_platform == "host":
        return f"{sys.implementation.cache_tag} {sysconfig.get_platform()}", ["--python", sys.executable]
    platform = _PLATFORMS[settings.architecture]
    return platform, ["--python-platform", platform, "--python-version", PYTHON_VERSION]


def _writable(folder: Path) -> Path:
    """Make a folder that git ignores; one that lasts as long as this process where the checkout can't be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    except PermissionError:
        return Path(_scratch().name)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise BundlingError(f"{folder} can't be used: {error.strerror}") from None
        return Path(_scratch().name)
    return folder


@functools.cache
def _scratch() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="etl-bundle-")


def _once(final: Path, make: Callable[[Path], None]) -> Path:
    """Make the folder ``final`` unless it is there; whole or not at all."""
    if final.is_dir():
        return final
    with TemporaryDirectory(dir=final.parent, prefix=".making-") as scratch:
        work = Path(scratch) / "work"
        make(work)
        try:
            work.rename(final)
        except OSError:
            if not final.is_dir():  # Otherwise another process was faster, and made the same.
                raise
    return final


def _install(command: list[str], into: Path) -> None:
    """Install the locked packages, and keep of them what is the same on every machine."""
    with TemporaryDirectory(dir=into.parent) as scratch:
        done = subprocess.run(
            [*command, "--target", scratch], capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode != 0:
            raise BundlingError(
                f"the functions' dependencies could not be installed:\n{done.stderr.strip()}\n"
                "They come from the package index, as requirements/runtime.txt locks them. Run `make setup` if uv is "
                "missing and `make lock` if a hash does not match; otherwise see that the index can be reached."
            )
        _copy(Path(scratch), into, _NOT_PACKAGE)
        _check(into, ())


def _check(folder: Path, ignored: Sequence[str]) -> None:
    """Compile all sources, so that an error is found here and not by the functions."""
    for path in _files(folder, ignored):
        if path.suffix != ".py":
            continue
        try:
            check_grammar(path)
        except GrammarError as error:
            shown = path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path
            where = f"{shown}, line {error.lineno}" if error.lineno else str(shown)
            raise BundlingError(f"{where}: {error.msg}") from None


def _compile(folder: Path) -> None:
    """Put bytecode beside all sources, which is used without a look at them, and knows no path of this machine.

    The same sources give the same bytes: a process of its own has no strings that others have interned, and with a
    fixed seed sets of constants have a fixed order.
    """
    options = ["--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-sSP", "-m", "compileall", "-q", *options, str(folder)],
        env=environment | {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        problem = (done.stdout + done.stderr).replace(f"{folder}/", "").strip()
        raise BundlingError(f"the functions' code could not be compiled:\n{problem}")
    for path in folder.rglob("__pycache__"):
        path.chmod(0o755)
        for compiled in path.iterdir():
            compiled.chmod(0o644)


def _copy(source: Path, into: Path, ignored: Sequence[str]) -> None:
    """Copy contents only: Lambda must be able to read them, whatever the umask here."""
    into.mkdir(parents=True, exist_ok=True)
    into.chmod(0o755)
    for path in _files(source, ignored):
        copy = into / path.relative_to(source)
        for folder in reversed(copy.relative_to(into).parents[:-1]):
            (into / folder).mkdir(exist_ok=True)
            (into / folder).chmod(0o755)
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o644)


def _files(folder: Path, ignored: Sequence[str]) -> Iterator[Path]:
    """Walk over the files below ``folder`` in a fixed order."""
    for path in sorted(folder.iterdir()):
        if any(fnmatchcase(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _files(path, ignored)
        else:
            yield path


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _digest(*parts: str | bytes) -> str:
    """Hash texts and contents so that no two sequences of them are one."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8) + data)
    return sha.hexdigest()[:32]
