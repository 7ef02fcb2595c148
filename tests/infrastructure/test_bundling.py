"""The functions' asset: complete, for the right machine, and the same whenever and wherever it is made."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import FileSystem

from serverless_app import bundling
from serverless_app.bundling import BundlingError, bundle
from serverless_app.settings import CHECKOUT, PipelineSettings

SOURCE = CHECKOUT / "runtime" / "etl"
LOCK = CHECKOUT / "requirements" / "runtime.txt"
HOST = PipelineSettings(lambda_platform="host")
FOR_LAMBDA = PipelineSettings()


def asset_hash(folder: Path) -> str:
    """Give the hash by which CDK tells whether an asset has changed."""
    return FileSystem.fingerprint(str(folder))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fake_uv(folder: Path, script: str) -> list[str]:
    """Write a command that stands for uv; the folder to install into is its last argument."""
    path = folder / "uv.py"
    path.write_text(f"import pathlib, sys\ntarget = pathlib.Path(sys.argv[-1])\n{script}\n")
    return [sys.executable, str(path)]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def host_has_the_functions_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever Python is here, take it for the functions'."""
    monkeypatch.setattr(bundling, "_CACHE_TAG", sys.implementation.cache_tag)


@pytest.fixture
def checkout(tmp_path: Path) -> dict[str, Any]:
    """Another checkout of the functions' code, as arguments of bundle()."""
    shutil.copytree(SOURCE, tmp_path / "runtime" / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    return {"source": tmp_path / "runtime" / "etl", "output": tmp_path / "build"}


def test_the_bundle_holds_the_code_and_its_locked_dependencies(checkout: dict[str, Any]) -> None:
    names = contents(bundle(FOR_LAMBDA, **checkout)).keys()

    assert {
        "etl/extract.py",
        "etl/transform.py",
        "etl/load.py",
        "pipeline/transformation.py",
        "msgspec/json.py",
    } <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"etl", "pipeline", "msgspec", "httptools"}


def test_the_data_of_time_zones_is_there_for_a_zone_alone(checkout: dict[str, Any]) -> None:
    zoned = PipelineSettings(source_cursor_format="iso_local", source_cursor_zone="Europe/Berlin")
    names = contents(bundle(zoned, **checkout)).keys()

    assert {"tzdata/zoneinfo/Europe/Berlin", "etl/extract.py"} <= names
    assert bundle(zoned, **checkout) != bundle(FOR_LAMBDA, **checkout)


def test_your_modules_and_data_are_in_the_bundle_but_no_tests(tmp_path: Path, checkout: dict[str, Any]) -> None:
    pipeline = tmp_path / "pipelines" / "etl"
    needed = {"transformation.py", "rates.py", "rates.toml", "shops/__init__.py"}
    for name in (*needed, "pipeline.toml", "test_rates.py", "conftest.py", "README.md", "tests/test_more.py"):
        (pipeline / name).parent.mkdir(parents=True, exist_ok=True)
        (pipeline / name).touch()

    names = contents(bundle(FOR_LAMBDA, pipeline=pipeline, **checkout)).keys()

    assert {name.removeprefix("pipeline/") for name in names if name.startswith("pipeline/")} >= needed
    assert not [name for name in names if name.startswith("pipeline/") and ("test" in name or "pipeline.toml" in name)]
    assert "pipeline/README.md" not in names


@pytest.mark.parametrize(
    ("file", "module", "owner"),
    [
        ("json.py", "json", "Python's standard library"),
        ("calendar/__init__.py", "calendar", "Python's standard library"),
        ("etl.py", "etl", "a package of the functions"),
        ("etl/rates.py", "etl", "a package of the functions"),
        ("msgspec.py", "msgspec", "a package of the functions"),
        ("boto3.py", "boto3", "a package of the functions"),
    ],
)
def test_a_module_of_yours_that_another_one_hides_is_refused(
    tmp_path: Path, checkout: dict[str, Any], file: str, module: str, owner: str
) -> None:
    path = tmp_path / "pipelines" / file
    path.parent.mkdir(parents=True)
    path.touch()

    with pytest.raises(BundlingError) as refused:
        bundle(HOST, pipeline=tmp_path / "pipelines", **checkout)

    for fact in (str(path), owner, f"`import {module}`", f"Rename {tmp_path / 'pipelines' / Path(file).parts[0]}"):
        assert fact in str(refused.value)


def test_your_module_may_have_any_name_in_a_package(tmp_path: Path, checkout: dict[str, Any]) -> None:
    for name in ("transformation.py", "shops/json.py", "shops/etl.py", "email/names.csv", "pipeline.py"):
        (tmp_path / "pipelines" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pipelines" / name).touch()

    assert "pipeline/shops/json.py" in contents(bundle(HOST, pipeline=tmp_path / "pipelines", **checkout))


def test_the_bundle_keeps_licences_and_versions(checkout: dict[str, Any]) -> None:
    names = contents(bundle(FOR_LAMBDA, **checkout)).keys()
    metadata = {name.split("/", 1)[1] for name in names if ".dist-info/" in name}

    assert {"METADATA", "licenses/LICENSE"} <= metadata
    assert not metadata & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def test_the_bundle_imports_in_a_bare_interpreter(tmp_path: Path, checkout: dict[str, Any]) -> None:
    folder = bundle(HOST, **checkout)
    # What AWS's Python runtime brings, and nothing else of this environment.
    site = Path(sysconfig.get_path("purelib"))
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        (tmp_path / name).symlink_to(site / name)
    code = (
        f"import sys; sys.path[:0] = [{str(folder)!r}, {str(tmp_path)!r}]\n"
        "import etl.extract, etl.transform, etl.load, msgspec\n"
        "assert all(callable(m.handler) for m in (etl.extract, etl.transform, etl.load))\n"
        "print(etl.extract.__file__, msgspec.__file__)"
    )

    done = subprocess.run([sys.executable, "-ISBc", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(folder)) for path in done.stdout.split())


@pytest.mark.parametrize(
    ("settings", "suffix"),
    [
        (FOR_LAMBDA, "cpython-311-x86_64-linux-gnu.so"),
        (PipelineSettings(architecture="arm64"), "cpython-311-aarch64-linux-gnu.so"),
        (HOST, sysconfig.get_config_var("EXT_SUFFIX").removeprefix(".")),
    ],
)
def test_compiled_code_is_for_the_machine_that_runs_it(
    checkout: dict[str, Any], settings: PipelineSettings, suffix: str
) -> None:
    compiled = [name for name in contents(bundle(settings, **checkout)) if name.endswith((".so", ".pyd", ".dylib"))]

    assert compiled
    assert all(name.endswith(f".{suffix}") for name in compiled)


def test_bundles_for_two_machines_are_kept_apart(checkout: dict[str, Any]) -> None:
    intel = bundle(PipelineSettings(architecture="x86_64"), **checkout)
    arm = bundle(PipelineSettings(architecture="arm64"), **checkout)

    assert list((intel / "msgspec").glob("*x86_64-linux-gnu.so"))
    assert list((arm / "msgspec").glob("*aarch64-linux-gnu.so"))


def test_the_dependencies_are_small(checkout: dict[str, Any]) -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents(bundle(FOR_LAMBDA, **checkout)).items():
            if not name.startswith("etl/"):
                archive.writestr(name, data)

    assert len(zipped.getvalue()) < 2_000_000


@pytest.mark.parametrize("settings", [FOR_LAMBDA, HOST])
@pytest.mark.usefixtures("host_has_the_functions_version")
def test_every_source_has_its_bytecode(checkout: dict[str, Any], settings: PipelineSettings) -> None:
    folder = bundle(settings, **checkout)
    sources = list(folder.rglob("*.py"))

    assert {importlib.util.cache_from_source(str(path)) for path in sources} == set(map(str, folder.rglob("*.pyc")))


def test_the_bytecode_is_used_without_a_look_at_the_source(checkout: dict[str, Any]) -> None:
    folder = bundle(HOST, **checkout)
    (folder / "etl" / "model" / "errors.py").write_text("raise SystemExit('compiled anew')\n")
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import etl.model.errors as e; print(e.EtlError.__name__)"

    done = subprocess.run([sys.executable, "-ISBc", code], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("EtlError\n", "")


def test_a_traceback_names_the_file_that_the_function_has(checkout: dict[str, Any]) -> None:
    (checkout["source"] / "failing.py").write_text("def fail():\n    raise ValueError\n")
    folder = bundle(HOST, **checkout)
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import etl.failing; etl.failing.fail()"

    done = subprocess.run([sys.executable, "-ISBc", code], capture_output=True, text=True, check=False)

    assert f'File "{folder}/etl/failing.py", line 2, in fail' in done.stderr


@pytest.mark.usefixtures("host_has_the_functions_version")
def test_no_path_of_this_machine_is_in_the_bytecode(checkout: dict[str, Any]) -> None:
    folder = bundle(FOR_LAMBDA, **checkout)
    compiled = {path: path.read_bytes() for path in folder.rglob("*.pyc")}

    assert compiled
    assert not [path for path, data in compiled.items() if str(checkout["output"]).encode() in data]


@pytest.mark.usefixtures("host_has_the_functions_version")
def test_bytecode_of_another_version_is_left_out(checkout: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with_bytecode = bundle(FOR_LAMBDA, **checkout)
    monkeypatch.setattr(bundling, "_CACHE_TAG", "cpython-399")
    without = bundle(FOR_LAMBDA, **checkout)

    assert without != with_bytecode
    assert contents(without) == {
        name: data for name, data in contents(with_bytecode).items() if "__pycache__" not in name
    }


@pytest.mark.usefixtures("host_has_the_functions_version")
def test_bytecode_does_not_depend_on_the_environment(
    tmp_path: Path, checkout: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(bundle(FOR_LAMBDA, **checkout))
    for name, value in (("OPTIMIZE", "2"), ("PYCACHEPREFIX", str(tmp_path)), ("HASHSEED", "7"), ("WARNINGS", "error")):
        monkeypatch.setenv(f"PYTHON{name}", value)

    assert contents(bundle(FOR_LAMBDA, source=checkout["source"], output=tmp_path / "again")) == before


@pytest.mark.parametrize("settings", [FOR_LAMBDA, HOST])
@pytest.mark.parametrize("cache_tag", [sys.implementation.cache_tag, "cpython-399"])
def test_a_syntax_error_ends_the_deployment(
    checkout: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: PipelineSettings, cache_tag: str
) -> None:
    monkeypatch.setattr(bundling, "_CACHE_TAG", cache_tag)
    file = checkout["source"] / "transformation.py"
    file.write_text("X = 1\ndef transform(record, run)\n    return record\n")

    with pytest.raises(BundlingError, match=rf"^{re.escape(str(file))}, line 2: .*expected ':'.*Python 3\.11$"):
        bundle(settings, **checkout)


def test_a_file_of_the_checkout_is_named_from_its_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling, "CHECKOUT", tmp_path)
    pipeline = tmp_path / "pipelines" / "etl"
    pipeline.mkdir(parents=True)
    (pipeline / "transformation.py").write_text("(")

    with pytest.raises(BundlingError, match=r"^pipelines/etl/transformation\.py, line 1: "):
        bundle(HOST, pipeline=pipeline, output=tmp_path / "build")


def test_a_package_that_cannot_be_compiled_is_refused(tmp_path: Path, checkout: dict[str, Any]) -> None:
    broken = "target.mkdir(exist_ok=True); (target / 'package.py').write_text('type X = int')"

    with pytest.raises(BundlingError, match=r"package\.py, line 1: "):
        bundle(FOR_LAMBDA, **checkout, uv=fake_uv(tmp_path, broken))


def test_the_asset_hash_is_the_same_in_every_checkout(tmp_path: Path, checkout: dict[str, Any]) -> None:
    here = bundle(FOR_LAMBDA, output=tmp_path / "here")
    there = bundle(FOR_LAMBDA, **checkout)

    assert here != there
    assert contents(here) == contents(there)
    assert asset_hash(here) == asset_hash(there)


def test_the_asset_hash_ignores_times_modes_and_caches(tmp_path: Path, checkout: dict[str, Any]) -> None:
    before = bundle(FOR_LAMBDA, **checkout)
    (checkout["source"] / "__pycache__").mkdir()
    (checkout["source"] / "__pycache__" / "extract.cpython-311.pyc.139872").write_bytes(b"x")
    (checkout["source"] / ".extract.py.swp").write_bytes(b"x")
    for path in checkout["source"].rglob("*.py"):
        os.utime(path, (0, 0))
        path.chmod(0o600)
    with umask(0o077):
        after = bundle(FOR_LAMBDA, source=checkout["source"], output=tmp_path / "again")

    assert asset_hash(after) == asset_hash(before)
    modes = {path.stat().st_mode & 0o777 for path in after.rglob("*") if path.is_file()}
    assert modes == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (after, *after.rglob("*")) if path.is_dir()} == {0o755}


def test_a_changed_line_changes_the_asset_hash(checkout: dict[str, Any]) -> None:
    before = bundle(FOR_LAMBDA, **checkout)
    with (checkout["source"] / "transformation.py").open("a") as file:
        file.write("# changed\n")
    after = bundle(FOR_LAMBDA, **checkout)

    assert asset_hash(after) != asset_hash(before)


def test_a_file_that_moves_changes_the_asset_hash(checkout: dict[str, Any]) -> None:
    before = bundle(FOR_LAMBDA, **checkout)
    (checkout["source"] / "gate.py").rename(checkout["source"] / "gates.py")
    after = bundle(FOR_LAMBDA, **checkout)

    assert asset_hash(after) != asset_hash(before)


def test_an_unchanged_bundle_is_not_made_again(tmp_path: Path, checkout: dict[str, Any]) -> None:
    first = bundle(FOR_LAMBDA, **checkout)

    assert bundle(FOR_LAMBDA, **checkout, uv=fake_uv(tmp_path, "sys.exit('called')")) == first


def test_changed_code_does_not_install_the_dependencies_again(tmp_path: Path, checkout: dict[str, Any]) -> None:
    bundle(FOR_LAMBDA, **checkout)
    (checkout["source"] / "new.py").write_text("NEW = 1\n")
    second = bundle(FOR_LAMBDA, **checkout, uv=fake_uv(tmp_path, "sys.exit('called')"))

    assert (second / "etl" / "new.py").is_file()
    assert (second / "msgspec").is_dir()


def test_a_hash_that_the_lock_does_not_have_is_refused(tmp_path: Path, checkout: dict[str, Any]) -> None:
    lock = tmp_path / "runtime.txt"
    version = next(line for line in LOCK.read_text().splitlines() if line.startswith("msgspec=="))
    lock.write_text(f"{version}\n    --hash=sha256:{'0' * 64}\n")

    with pytest.raises(BundlingError, match=r"(?is)could not be installed.*hash.*make lock"):
        bundle(FOR_LAMBDA, lock=lock, **checkout)


def test_a_dependency_without_a_hash_is_refused(tmp_path: Path, checkout: dict[str, Any]) -> None:
    lock = tmp_path / "runtime.txt"
    lock.write_text("msgspec==0.22.0\n")

    with pytest.raises(BundlingError, match=r"(?is)could not be installed.*hash"):
        bundle(FOR_LAMBDA, lock=lock, **checkout)


def test_a_failed_installation_says_what_to_do(tmp_path: Path, checkout: dict[str, Any]) -> None:
    with pytest.raises(BundlingError, match=r"(?s)could not be installed:\nno route to host\n.*make setup.*make lock"):
        bundle(FOR_LAMBDA, **checkout, uv=fake_uv(tmp_path, "sys.exit('no route to host')"))


def test_a_crash_leaves_no_half_of_a_bundle(tmp_path: Path, checkout: dict[str, Any]) -> None:
    half = "target.mkdir(exist_ok=True); (target / 'half.py').touch(); sys.exit('crash')"
    with pytest.raises(BundlingError):
        bundle(FOR_LAMBDA, **checkout, uv=fake_uv(tmp_path, half))

    assert [path.name for path in checkout["output"].iterdir()] == [".gitignore"]
    assert (bundle(FOR_LAMBDA, **checkout) / "msgspec").is_dir()


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path, checkout: dict[str, Any]) -> None:
    slow = fake_uv(
        tmp_path, "import time; time.sleep(1); target.mkdir(exist_ok=True); (target / 'package.py').write_text('X = 1')"
    )
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(bundle, FOR_LAMBDA, **checkout, uv=slow) for _ in range(2)]
        folders = {future.result() for future in made}

    assert len(folders) == 1
    assert {"package.py", "etl/extract.py"} <= contents(folders.pop()).keys()
    assert not [path for path in checkout["output"].iterdir() if path.name.startswith(".making")]


def test_a_read_only_checkout_keeps_its_bundle_elsewhere(checkout: dict[str, Any]) -> None:
    folder = bundle(HOST, **checkout | {"output": Path("/sys/nobody-may-write-here")})

    assert contents(folder) == contents(bundle(HOST, **checkout))


def test_an_output_that_is_no_folder_is_one_line(tmp_path: Path, checkout: dict[str, Any]) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BundlingError, match=r"^\S+/file/lambda can't be used: Not a directory$"):
        bundle(HOST, **checkout | {"output": tmp_path / "file" / "lambda"})


def test_bundles_are_kept_out_of_version_control(checkout: dict[str, Any]) -> None:
    bundle(FOR_LAMBDA, **checkout)

    assert (checkout["output"] / ".gitignore").read_text() == "*\n"
