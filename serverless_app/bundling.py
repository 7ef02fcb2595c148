"""The functions' asset: the package ``etl``, its dependencies and your code. It is reproducible and needs no Docker."""

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
from etl.model.change_time import UTC
from etl.model.settings_sources import FILE
from serverless_app.grammar import FUNCTIONS_PYTHON, GrammarError, check_grammar
from serverless_app.settings import CHECKOUT, PipelineSettings

PYTHON_VERSION = ".".join(map(str, FUNCTIONS_PYTHON))
_CACHE_TAG = f"cpython-{PYTHON_VERSION.replace('.', '')}"

# Lambda's Python 3.11 runs on Amazon Linux 2, which has glibc 2.26; manylinux2014 asks for 2.17.
_PLATFORMS = {"x86_64": "x86_64-manylinux2014", "arm64": "aarch64-manylinux2014"}

# Raise it when the same inputs should give another bundle. Bundles of earlier layouts are then ignored.
_LAYOUT = "4"

_NOT_SOURCE = (".*", "*~", "__pycache__", "tests")
# Files in your folder that the functions don't need: tests, settings, notes. Your code may read any other file.
_NOT_USER_CODE = (*_NOT_SOURCE, "test_*", "*_test.py", "conftest.py", FILE, "*.md")
# Packages of AWS's Python runtime. The functions find them before your folder, like the standard library and the zip.
_OF_AWS = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"})
# Files about the installer and its run, and RECORD, which lists them. METADATA and licences stay.
_NOT_PACKAGE = (".*", "__pycache__", "bin", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_*.json")


# The data of time zones, in a bundle that needs another zone than UTC: some 300 KB of the zip.
_ZONES = ("tzdata*",)


class BundlingError(RuntimeError):
    """The functions' code can't be bundled. The message says why and what to do."""


def bundle(
    settings: PipelineSettings,
    *,
    source: Path = CHECKOUT / "runtime" / "etl",
    pipeline: Path | None = None,
    lock: Path = CHECKOUT / "requirements" / "runtime.txt",
    output: Path = CHECKOUT / ".build" / "lambda",
    uv: Sequence[str] = ("sh", str(CHECKOUT / "requirements" / "uv.sh")),
) -> Path:
    """Bundle the functions' code, or find the bundle of an earlier call.

    A bundle's name follows from its contents, so an existing bundle is current. It is moved into place when it is
    complete: a crash leaves no half of a bundle, and two calls at once don't disturb each other.

    Every source is compiled, so none with an error is deployed. The bundle has bytecode if this interpreter has the
    functions' version. Without it a function would compile everything at each cold start, since its folder is
    read-only.

    Args:
        settings: the settings, of which ``architecture`` and ``lambda_platform`` name the machine.
        source: the package with the handlers.
        pipeline: the folder with transformation.py; that of the settings if left out.
        lock: the dependencies, with hashes that are enforced.
        output: the folder that keeps bundles, if it is writable.
        uv: the command that runs uv.

    Returns:
        The folder that becomes the functions' zip.

    Raises:
        BundlingError: the dependencies can't be installed, the functions' Python can't compile the code, or it would
            find another module in place of one of yours.
    """
    machine, options = _target(settings)
    # Bytecode of another version would stay unused.
    bytecode = settings.lambda_platform == "host" or sys.implementation.cache_tag == _CACHE_TAG
    packages_key = _digest(_LAYOUT, machine, lock.read_bytes())
    not_needed = _ZONES if settings.source_cursor_zone == UTC else ()
    pipeline = pipeline or CHECKOUT / settings.folder
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
    _refuse_hidden(pipeline, {source.name, *(path.stem for path in packages.iterdir())})

    def combine(into: Path) -> None:
        _copy(packages, into, not_needed)
        for tree, name, ignored in trees:
            _check(tree, ignored)
            _copy(tree, into / name, ignored)
        if bytecode:
            _compile(into)

    compiled = sys.implementation.cache_tag if bytecode else ""
    return _once(output / f"bundle-{_digest(packages_key, compiled, *not_needed, *code)}", combine)


def _refuse_hidden(pipeline: Path, packages: set[str]) -> None:
    """Refuse a module of yours that your code can't import, since the functions find another one of its name first."""
    for path in _files(pipeline, _NOT_USER_CODE):
        module = path.relative_to(pipeline).parts[0].removesuffix(".py")
        if path.suffix != ".py" or module not in sys.stdlib_module_names | packages | _OF_AWS:
            continue
        owner = "Python's standard library" if module in sys.stdlib_module_names else "a package of the functions"
        raise BundlingError(
            f"{_shown(path)} has the name of {owner}: `import {module}` would find that, never your file. "
            f"Rename {_shown(pipeline / path.relative_to(pipeline).parts[0])}, and the imports of it."
        )


def _shown(path: Path) -> Path:
    return path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path


def _target(settings: PipelineSettings) -> tuple[str, list[str]]:
    """Name the machine that runs the functions, with uv's options for it."""
    if settings.lambda_platform == "host":
        return f"{sys.implementation.cache_tag} {sysconfig.get_platform()}", ["--python", sys.executable]
    platform = _PLATFORMS[settings.architecture]
    return platform, ["--python-platform", platform, "--python-version", PYTHON_VERSION]


def _writable(folder: Path) -> Path:
    """Make a folder that git ignores; a temporary one if the checkout isn't writable."""
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
    """Make the folder ``final`` if it is missing, completely or not at all."""
    if final.is_dir():
        return final
    with TemporaryDirectory(dir=final.parent, prefix=".making-") as scratch:
        work = Path(scratch) / "work"
        make(work)
        try:
            work.rename(final)
        except OSError:
            if not final.is_dir():  # Otherwise another process made the same folder first.
                raise
    return final


def _install(command: list[str], into: Path) -> None:
    """Install the locked packages, and keep the files that are the same on every machine."""
    with TemporaryDirectory(dir=into.parent) as scratch:
        done = subprocess.run(
            [*command, "--target", scratch], capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode != 0:
            raise BundlingError(
                f"the functions' dependencies could not be installed:\n{done.stderr.strip()}\n"
                "requirements/runtime.txt locks them, and the package index has them. Run `make setup` if uv is "
                "missing, or `make lock` if a hash doesn't match. Otherwise check the connection to the index."
            )
        _copy(Path(scratch), into, _NOT_PACKAGE)
        _check(into, ())


def _check(folder: Path, ignored: Sequence[str]) -> None:
    """Compile all sources, to find an error before the functions do."""
    for path in _files(folder, ignored):
        if path.suffix != ".py":
            continue
        try:
            check_grammar(path)
        except GrammarError as error:
            where = f"{_shown(path)}, line {error.lineno}" if error.lineno else str(_shown(path))
            raise BundlingError(f"{where}: {error.msg}") from None


def _compile(folder: Path) -> None:
    """Add bytecode to all sources. Python uses it without checking the source, and it has no path of this machine.

    The same sources give the same bytes: a separate process shares no interned strings, and a fixed seed gives sets of
    constants a fixed order.
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
    """Copy contents with fixed modes, so that Lambda can read them under any umask here."""
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
    """Iterate over the files below a folder in a fixed order."""
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
    """Hash a sequence of texts and contents; different sequences have different hashes."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8) + data)
    return sha.hexdigest()[:32]
