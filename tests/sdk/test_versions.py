"""The functions' code with other AWS SDKs than the locked one: Lambda's runtime brings its own, and moves it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

# All that meets the SDK: bridging, bodies as bytes, errors, and a signature that is compared with the SDK's own.
CONTRACT = [f"tests/unit/test_{name}.py" for name in ("aws", "backoff", "channel", "protocol", "signature")]
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import botocore, pytest
print("botocore", botocore.__version__, botocore.__file__)
raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:pytest_cov", *sys.argv[2:]]))
"""


def installed(lock: Path) -> Path:
    """The folder with the packages of a lock, which are installed when it is new or has changed."""
    folder, stamp = ROOT / ".venv" / ".sdk" / lock.stem, lock.read_text()
    done = folder / "lock.txt"
    if not done.is_file() or done.read_text() != stamp:
        command = ["sh", "requirements/uv.sh", "pip", "install", "--quiet", "--python", sys.executable, "--no-deps"]
        options = ["--require-hashes", "--reinstall", "--target", str(folder), "--requirements", str(lock)]
        subprocess.run([*command, *options], cwd=ROOT, check=True)
        done.write_text(stamp)
    return folder


@pytest.mark.parametrize("name", ["sdk-oldest", "sdk-newest"])
def test_the_functions_work_with_the_oldest_and_newest_sdk(name: str) -> None:
    lock = ROOT / "requirements" / f"{name}.txt"
    version = re.search(r"^botocore==(\S+)", lock.read_text(), re.MULTILINE)
    assert version
    folder = installed(lock)
    command = [sys.executable, "-c", RUN, str(folder), *CONTRACT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert f"botocore {version[1]} {folder}/" in done.stdout
