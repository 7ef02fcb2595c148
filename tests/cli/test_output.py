"""Processes of the command whose output is full, closed, piped, or has an encoding without the command's signs."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from rich.cells import cell_len

from etl_cli.terminal.exit_codes import EXIT_READER_GONE, EXIT_UNWRITABLE
from etl_cli.terminal.output import Output
from tests.support import ROOT

ETL = ROOT / ".venv" / "bin" / "etl"
PYTHON = shlex.quote(str(ETL.with_name("python")))
FULL = Path("/dev/full")
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
CI = {"CI": "true", "GITHUB_ACTIONS": "true"}
SIGNS = "✔ ✘ → · … ━ ─ │ ╭ ╯ ⠋ ü 咖"
needs_full_disk = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full, as on macOS")


COMMANDS = [(), ("plan",), ("quarantine", "list")]


def run(line: str, *, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which $ETL is the command."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "ETL": str(ETL),
        "ETL_LOCAL_DIR": str(tmp_path / "local"),
        **variables,
    }
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", line],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_piped_help_is_plain_text_in_any_encoding(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(f'"$ETL" {shlex.join(words)} --help', tmp_path=tmp_path, TERM="xterm", COLUMNS="40", **CI, **C_LOCALE)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"Usage: etl" in done.stdout
    assert not re.search(rb"[\x1b\r]|[ \t]\n", done.stdout)


@needs_full_disk
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_full_disk_has_an_exit_code_of_its_own(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(f'"$ETL" {shlex.join(words)} --help > /dev/full', tmp_path=tmp_path)

    assert done.returncode == EXIT_UNWRITABLE
    assert done.stderr == b"error: The output can't be written: No space left on device.\n"


@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        pytest.param("> /dev/full", EXIT_UNWRITABLE, "No space left on device", marks=needs_full_disk),
        pytest.param("> /dev/full 2> /dev/full", EXIT_UNWRITABLE, "", marks=needs_full_disk),
        (">&-", EXIT_UNWRITABLE, "Bad file descriptor"),
        (">&- 2>&-", EXIT_UNWRITABLE, ""),
        (">&- 2>&- <&-", EXIT_UNWRITABLE, ""),
        ("| exec true", EXIT_READER_GONE, ""),
        ("2>&- | exec true", EXIT_READER_GONE, ""),
        ("2>&- <&-", 3, ""),
        pytest.param("2> /dev/full", 3, "", marks=needs_full_disk),
    ],
)
@pytest.mark.parametrize("form", ["", "--json"])
def test_a_code_with_a_meaning_is_never_that_of_an_output(
    tmp_path: Path, form: str, redirected: str, code: int, said: str
) -> None:
    # A reader that is gone for certain: the command starts after it.
    late = "sleep 0.3; exec " if redirected.endswith("true") else "exec "
    done = run(f'({late}"$ETL" local status {form}) {redirected}', tmp_path=tmp_path)  # 3 means that it is down

    assert done.returncode == code
    error = done.stderr.decode()
    assert "Traceback" not in error
    assert "Exception ignored" not in error
    assert (error.count("\n") == 1 and said in error) if said else not error


@pytest.mark.parametrize("redirected", ["2>&-", pytest.param("2> /dev/full", marks=needs_full_disk)])
def test_an_error_that_cannot_be_printed_keeps_its_code(tmp_path: Path, redirected: str) -> None:
    assert run(f'"$ETL" local env {redirected}', tmp_path=tmp_path).returncode == 1
    assert run(f'"$ETL" fly {redirected}', tmp_path=tmp_path).returncode == 2


def test_a_closed_output_is_not_taken_by_a_file(tmp_path: Path) -> None:
    code = "import etl_cli.terminal.output as o; o.open_streams();"
    code += "print(open('/dev/null').fileno() > 2, file=o.sys.stderr)"
    done = run(f"{PYTHON} -c {shlex.quote(code)} >&- <&-", tmp_path=tmp_path)

    assert done.stderr.split(b"\n")[0] == b"True"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_a_sign_that_an_encoding_lacks_has_one_as_wide(tmp_path: Path, encoding: str) -> None:
    code = f"import etl_cli.terminal.output as o; o.open_streams(); print({SIGNS!a}); o.close_streams()"
    done = run(f"{PYTHON} -c {shlex.quote(code)}", tmp_path=tmp_path, PYTHONIOENCODING=encoding)

    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(encoding).rstrip("\n")
    assert cell_len(shown) == cell_len(SIGNS)
    assert (shown == SIGNS) == (encoding == "utf-8")
    if encoding == "ascii":
        assert shown == "v x > - ~ - - | + + * ? ??"


def test_what_the_cdk_cli_says_is_read_in_any_encoding(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from etl_cli.local.cdk import CdkRunner; "
        "runner = CdkRunner(*[pathlib.Path(sys.argv[1])] * 2, {}, lambda line: print(ascii(line))); "
        "runner._follow(['/usr/bin/printf', r'\\342\\234\\250 \\377'], pathlib.Path('/'), [])"
    )
    line = f"{PYTHON} -c {shlex.quote(code)} {shlex.quote(str(tmp_path))}"
    done = run(line, tmp_path=tmp_path, **C_LOCALE)

    assert (done.stdout, done.stderr) == (b"'\\u2728 \\ufffd'\n", b"")


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1", "TERM": "xterm"}])
def test_a_terminal_without_colours_gets_none(tmp_path: Path, variables: dict[str, str]) -> None:
    main, side = pty.openpty()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ETL_LOCAL_DIR": str(tmp_path), **variables}
    done = subprocess.run(
        [ETL, "local", "status"], cwd=ROOT, env=environment, stdout=side, stderr=side, check=False, timeout=60
    )
    os.close(side)
    shown = os.read(main, 100_000).decode()

    assert done.returncode == 3
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", shown)
    assert "\x1b" not in shown or variables["TERM"] != "dumb"


def test_a_failing_output_that_a_thread_writes_is_not_forgotten(tmp_path: Path) -> None:
    """A board is drawn by a thread, whose errors nobody else sees."""
    with (tmp_path / "read only").open("wb") as file:
        output = Output(os.fdopen(os.open(file.name, os.O_RDONLY), "wb", closefd=True))
    with pytest.raises(SystemExit):
        output.give_up(OSError(28, "No space left on device"))

    assert output.failed
    assert output.failed.code == EXIT_UNWRITABLE
