"""The local environment is its owner's: its folder, its server's Python, and every process that it started."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from etl_cli.local import process
from etl_cli.local.environment import LocalEnvironment
from etl_cli.local.process import ServerRecord
from etl_cli.terminal.errors import UserError
from tests.local.aws import create_function, create_role
from tests.local.processes import PROC, ends, members
from tests.support import ROOT, Deployed

NOBODY = 65534


def open_to_others(folder: Path) -> list[str]:
    """List the things in a folder that another user may read, write or list; links have no mode of their own."""
    found = [folder, *folder.rglob("*")]
    return [str(path) for path in found if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077]


@pytest.mark.parametrize("strict", [False, True])
def test_folder_and_all_that_is_in_it_are_the_owners_alone(environment: LocalEnvironment, strict: bool) -> None:
    before = os.umask(0o022)
    try:
        environment.start(strict=strict)
        create_role(environment.clients(), "any")
        create_function(environment.clients(), "any", "def handler(event, context): pass")
        environment.clients().lambda_.invoke(FunctionName="any")
    finally:
        os.umask(before)

    keys = [path.name for path in environment.state_dir.rglob("*") if path.suffix in (".key", ".crt")]
    assert open_to_others(environment.state_dir) == []
    assert ("server.key" in keys) == strict


def test_cloud_assembly_is_the_owners_alone(deployed: Deployed) -> None:
    shared = deployed.environment

    assert (shared.state_dir / "cdk.out").exists()
    assert open_to_others(shared.state_dir) == []


def test_wider_folder_is_narrowed(environment: LocalEnvironment) -> None:
    left = environment.state_dir / "cdk.out" / "left.json"
    left.parent.mkdir()
    left.write_text("{}")
    for path, mode in ((environment.state_dir, 0o777), (left.parent, 0o755), (left, 0o644)):
        path.chmod(mode)

    environment.start()

    assert open_to_others(environment.state_dir) == []


def test_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    environment = LocalEnvironment(ROOT, tmp_path / "link")

    for use in (environment.start, environment.status, environment.variables, environment.stop):
        with pytest.raises(UserError, match="it is a link") as raised:
            use()
    assert "ETL_LOCAL_DIR" in raised.value.remedy
    assert list((tmp_path / "real").iterdir()) == []


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    record = ServerRecord(os.getpid(), 1, "token", "2026-01-01T00:00:00+00:00", False, {}, "key", "secret")
    record.write(folder / "server.json")
    os.chown(folder, NOBODY, NOBODY)
    environment = LocalEnvironment(ROOT, folder)

    for use in (environment.start, environment.status, environment.variables, environment.stop):
        with pytest.raises(UserError, match=f"belongs to another user \\({NOBODY}\\)"):
            use()


# As another user: tries to read each file, and to use the server with all that every user can see.
OTHER_USER = """
import encodings.idna, http.client, json, os, sys
folder, port, pid = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.setgroups([]); os.setgid(65534); os.setuid(65534)
got = []
for path in (folder, *sys.argv[4:], f"/proc/{pid}/environ"):
    try:
        got.append(os.listdir(path) if os.path.isdir(path) else open(path).read())
    except PermissionError:
        pass
command = open(f"/proc/{pid}/cmdline").read().split("\\0")
statuses = []
for key in ("test", "000000000000", *filter(None, command)):
    for path in ("/", "/_ministack/health", "/_etl/identity"):
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        scope = f"{key}/20260101/us-east-1/s3/aws4_request"
        link.request("GET", path, headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00",
            "x-etl-nonce": "n", "x-etl-proof": key})
        statuses.append(link.getresponse().status)
print(json.dumps([got, sorted(set(statuses))]))
"""


@needs_root
@pytest.mark.skipif(not PROC, reason="other users' processes are looked at in /proc")
def test_another_user_can_neither_read_nor_use_it() -> None:
    with tempfile.TemporaryDirectory() as parent:  # pytest's own folders are closed to others
        Path(parent).chmod(0o755)
        environment = LocalEnvironment(ROOT, Path(parent, "state"))
        status = environment.start()
        files = [str(path) for path in environment.state_dir.rglob("*")]
        given = [str(environment.state_dir), str(status.port), str(status.pid), *files]

        done = subprocess.run(
            [sys.executable, "-c", OTHER_USER, *given], capture_output=True, text=True, check=False, cwd="/"
        )
        environment.stop()

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], [403]]
    assert len(files) > 5


def test_nothing_that_lies_in_the_folder_is_imported(environment: LocalEnvironment) -> None:
    environment.state_dir.mkdir(exist_ok=True)
    traces = environment.state_dir / "traces"
    traces.mkdir()
    for folder in (environment.state_dir, environment.state_dir / "home", environment.state_dir / "cdk-home"):
        folder.mkdir(exist_ok=True)
        for module in ("json", "sitecustomize", "ministack", "hypercorn", "etl_cli", "boto3"):
            (folder / f"{module}.py").write_text(f"open({str(traces / module)!r}, 'w').close()\n")

    environment.start()
    create_function(environment.clients(), "any", "import json, boto3\ndef handler(event, context): pass")
    environment.clients().lambda_.invoke(FunctionName="any")

    assert list(traces.iterdir()) == []


@pytest.mark.parametrize("token", ["", " ", "python"])
def test_record_with_a_token_that_others_have_matches_no_process(environment: LocalEnvironment, token: str) -> None:
    environment.state_dir.mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as other:
        record = ServerRecord(other.pid, process.free_port(), token, "2026-01-01T00:00:00+00:00", False, {})
        record.write(environment.state_dir / "server.json")

        assert not process.is_alive(record)
        assert environment.stop() is False
        assert environment.start().is_up

        assert other.poll() is None
        other.kill()


# Works on whatever happens to the server, and writes to where it was.
WRITER = """
    import os, subprocess, time, boto3

    def handler(event, context):
        subprocess.Popen(["sleep", "600"])
        while True:
            time.sleep(0.05)
            try:
                boto3.client("s3").put_object(Bucket="next", Key="late", Body=b"")
            except Exception as error:
                print(error)
"""


def begin_writer(environment: LocalEnvironment) -> tuple[int, set[int]]:
    """Start a function that never ends; gives the server's process and its group."""
    pid = environment.start().pid
    assert pid
    create_function(environment.clients(), "writer", WRITER, timeout_seconds=600)
    before = members(pid)
    environment.clients().lambda_.invoke(FunctionName="writer", InvocationType="Event")
    while len(members(pid)) < len(before) + 2:
        time.sleep(0.02)
    return pid, members(pid)


def test_functions_end_with_a_server_that_is_killed(environment: LocalEnvironment) -> None:
    pid, _ = begin_writer(environment)

    os.kill(pid, signal.SIGKILL)

    assert ends(pid)


@pytest.mark.skipif(not PROC, reason="what a process inherited is read in /proc")
@pytest.mark.parametrize("then", ["start", "stop", "reset"])
def test_the_next_command_ends_a_killed_servers_processes(environment: LocalEnvironment, then: str) -> None:
    pid, group = begin_writer(environment)
    # Anything else that would have ended them.
    for member in group - {pid}:
        if "sys.stdin.read" in Path(f"/proc/{member}/cmdline").read_text():
            os.kill(member, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    assert members(pid)

    getattr(environment, then)()

    assert not members(pid)


def test_late_writer_does_not_reach_the_next_environment(environment: LocalEnvironment) -> None:
    """On the same port, with all that an earlier function had."""
    before = environment.start()
    old = environment.variables()
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    create_function(environment.clients(), "variables", source)
    seen = json.loads(environment.clients().lambda_.invoke(FunctionName="variables")["Payload"].read())
    after = environment.reset()
    assert before.port == after.port
    environment.clients().s3.create_bucket(Bucket="next")

    for keys in (
        (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"], seen["AWS_SESSION_TOKEN"]),
        (old["AWS_ACCESS_KEY_ID"], old["AWS_SECRET_ACCESS_KEY"], None),
    ):
        session = boto3.Session(keys[0], keys[1], keys[2], "us-east-1")
        late = session.client("s3", endpoint_url=seen["AWS_ENDPOINT_URL"])
        with pytest.raises(ClientError, match="UnrecognizedClientException"):
            late.put_object(Bucket="next", Key="late", Body=b"")

    assert environment.clients().s3.list_objects_v2(Bucket="next")["KeyCount"] == 0
