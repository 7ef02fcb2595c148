"""The local environment's process: started, found again, ended, and never confused with another one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection, RemoteDisconnected
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from etl_cli.local import process
from etl_cli.local.environment import LocalEnvironment
from etl_cli.local.identity import IDENTITY_PATH, question
from etl_cli.local.process import ServerRecord
from etl_cli.terminal.errors import UserError
from tests.conftest import MakeEnvironment
from tests.local.aws import create_function, create_role, invoke
from tests.local.processes import PROC, ends, members
from tests.support import ROOT

# Answers as the server does, and ignores the signal to end.
STUBBORN = """
    import http.server, json, os, signal, sys
    from etl_cli.local.identity import NONCE_HEADER, proof
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            answer = proof(os.environ["AWS_SECRET_ACCESS_KEY"], "server", self.headers[NONCE_HEADER])
            self.wfile.write(json.dumps({"proof": answer}).encode())
    http.server.HTTPServer(("127.0.0.1", int(os.environ["GATEWAY_PORT"])), Handler).serve_forever()
"""


class StubbornEnvironment(LocalEnvironment):
    def _command(self, token: str) -> list[str]:
        return [sys.executable, "-c", textwrap.dedent(STUBBORN), token]


class BrokenEnvironment(LocalEnvironment):
    def _command(self, token: str) -> list[str]:
        return [sys.executable, "-c", "import sys; sys.exit('no luck today')", token]


def links_in(folder: Path) -> Iterator[str]:
    """Where the links in a folder point, but for those that go meanwhile."""
    for link in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(link.readlink())


def listening_addresses(pid: int) -> set[str]:
    """The addresses on which a process and its children accept connections."""
    command = ["lsof", "-nP", "-a", "-iTCP", "-sTCP:LISTEN", "-Fn", "-g", str(pid)]
    if PROC:
        inodes = {link for member in members(pid) for link in links_in(Path(f"/proc/{member}/fd"))}
        rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()]
        return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line[1:] for line in listing.splitlines() if line.startswith("n")}


def loopback(port: int | None) -> set[str]:
    assert port
    return {f"0100007F:{port:04X}"} if PROC else {f"127.0.0.1:{port}"}


@pytest.mark.parametrize("strict", [False, True])
def test_the_server_listens_on_the_loopback_address_alone(environment: LocalEnvironment, strict: bool) -> None:
    status = environment.start(strict=strict)

    assert status.endpoint == f"{'https' if strict else 'http'}://127.0.0.1:{status.port}"
    assert status.pid
    assert listening_addresses(status.pid) == loopback(status.port)


def test_start_uses_the_named_port_and_keeps_a_running_server(environment: LocalEnvironment) -> None:
    port = process.free_port()

    first = environment.start(port)
    again = environment.start()

    assert first.port == again.port == port
    assert first.pid == again.pid
    with pytest.raises(UserError, match=f"already up, on port {port}"):
        environment.start(process.free_port())


def test_start_makes_no_strict_environment_of_one_that_is_up(environment: LocalEnvironment) -> None:
    before = environment.start()

    with pytest.raises(UserError, match="isn't strict") as raised:
        environment.start(strict=True)

    assert "local stop" in raised.value.remedy
    assert environment.status().pid == before.pid
    environment.stop()
    assert environment.start(strict=True).strict
    assert environment.start().strict  # left as it is
    assert environment.reset().strict


def test_start_says_that_the_port_is_taken(environment: LocalEnvironment) -> None:
    with socket.create_server((process.HOST, 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(UserError, match=f"Port {port} of 127.0.0.1 is taken") as raised:
            environment.start(port)

    assert "--port" in raised.value.remedy
    assert environment.status().state == "down"


def test_unusable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="Not a directory") as raised:
        LocalEnvironment(ROOT, tmp_path / "file" / "below").start()

    assert "ETL_LOCAL_DIR" in raised.value.remedy


def test_failed_start_shows_the_last_words_and_leaves_nothing(make_environment: MakeEnvironment) -> None:
    environment = make_environment(BrokenEnvironment)

    with pytest.raises(UserError, match=r"ended while it started.*\n  no luck today"):
        environment.start()

    assert environment.status().state == "down"


def test_interrupted_start_leaves_nothing(environment: LocalEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[ServerRecord] = []

    def interrupt(record: ServerRecord, timeout_seconds: float = 0) -> bool:
        assert timeout_seconds
        started.append(record)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(process, "answers", interrupt)
        with pytest.raises(KeyboardInterrupt):
            environment.start()

    assert ends(started[0].pid)
    assert environment.status().state == "down"


def test_interrupt_while_the_process_is_born_leaves_nothing(
    environment: LocalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    born: list[int] = []
    spawn = process.spawn

    def spawn_and_interrupt(command: list[str], variables: dict[str, str], folder: Path, log: Path) -> int:
        born.append(spawn(command, variables, folder, log))
        signal.raise_signal(signal.SIGINT)
        return born[-1]

    monkeypatch.setattr(process, "spawn", spawn_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        environment.start()

    assert ends(born[0])
    assert environment.status().state == "down"


def test_a_second_interrupt_does_not_stop_the_tidying_up(
    make_environment: MakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = make_environment(BrokenEnvironment)
    end = process.end

    def interrupt_and_end(record: ServerRecord) -> bool:
        signal.raise_signal(signal.SIGINT)
        return end(record)

    monkeypatch.setattr(process, "end", interrupt_and_end)
    with pytest.raises(KeyboardInterrupt):
        environment.start()

    assert environment.status().state == "down"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_during_start_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    command = [str(ROOT / ".venv/bin/etl"), "local", "start"]
    variables = {**os.environ, "ETL_LOCAL_DIR": str(tmp_path)}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        while (record := ServerRecord.read(tmp_path / "server.json")) is None:
            time.sleep(0.005)
        child.send_signal(number)
        _, errors = child.communicate(timeout=30)

    assert child.returncode == code
    assert "Traceback" not in errors
    assert ends(record.pid)
    assert LocalEnvironment(ROOT, tmp_path).status().state == "down"


def test_server_that_died_is_reported_and_can_be_started_again(environment: LocalEnvironment) -> None:
    before = environment.start()
    assert before.pid
    os.kill(before.pid, signal.SIGKILL)

    while environment.status().state != "died":
        time.sleep(0.01)

    with pytest.raises(UserError, match="ended without being stopped") as raised:
        environment.variables()
    assert "local start" in raised.value.remedy
    assert 0 < len(raised.value.lines) < 8
    after = environment.start()
    assert after.port == before.port
    assert after.pid != before.pid


def test_process_that_merely_has_the_recorded_pid_is_left_alone(environment: LocalEnvironment) -> None:
    environment.state_dir.mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as other:
        record = ServerRecord(other.pid, process.free_port(), "token", "2026-01-01T00:00:00+00:00", False, {})
        record.write(environment.state_dir / "server.json")

        assert environment.status().state == "died"
        assert environment.stop() is False
        assert environment.start().is_up
        assert environment.stop() is True

        assert other.poll() is None
        other.kill()


def test_another_server_on_the_recorded_port_is_not_ours(
    environment: LocalEnvironment, make_environment: MakeEnvironment
) -> None:
    other = make_environment()
    status = other.start()
    assert status.port
    environment.state_dir.mkdir(exist_ok=True)
    record = ServerRecord(os.getpid(), status.port, "another token", "2026-01-01T00:00:00+00:00", False, {})
    record.write(environment.state_dir / "server.json")

    assert process.answers(record) is False
    assert environment.status().state == "died"
    assert environment.start().port != status.port
    assert other.status().is_up


def test_stop_ends_the_functions_and_frees_the_port(environment: LocalEnvironment) -> None:
    status = environment.start()
    assert status.port
    assert status.pid
    clients = environment.clients()
    create_function(clients, "slow", "import time\ndef handler(event, context): time.sleep(60)", timeout_seconds=60)
    clients.lambda_.invoke(FunctionName="slow", InvocationType="Event")
    time.sleep(1)

    assert environment.stop() is True

    assert ends(status.pid)
    assert process.is_port_free(status.port)
    assert environment.status().state == "down"
    assert environment.stop() is False


def test_stop_ends_a_server_that_ignores_the_signal(make_environment: MakeEnvironment) -> None:
    environment = make_environment(StubbornEnvironment)
    pid = environment.start().pid
    assert pid

    assert environment.stop() is True

    assert ends(pid)


def test_an_unresponsive_server_is_reported_and_not_restarted(
    make_environment: MakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = make_environment(StubbornEnvironment)
    status = environment.start()
    monkeypatch.setattr(process, "answers", lambda *_, **__: False)

    assert environment.status().state == "unresponsive"
    with pytest.raises(UserError, match="doesn't answer on port") as raised:
        environment.start()

    assert "local reset" in raised.value.remedy
    assert status.pid
    assert members(status.pid)


def test_reset_throws_all_data_away_and_keeps_the_port(environment: LocalEnvironment) -> None:
    before = environment.start()
    environment.clients().s3.create_bucket(Bucket="old")

    after = environment.reset()

    assert after.port == before.port
    assert after.pid != before.pid
    assert environment.clients().s3.list_buckets()["Buckets"] == []


def test_reset_of_a_stopped_environment_starts_it(environment: LocalEnvironment) -> None:
    assert environment.reset().is_up


def test_two_environments_live_side_by_side(make_environment: MakeEnvironment) -> None:
    one, other = make_environment(), make_environment()

    assert one.start().port != other.start().port
    one.clients().s3.create_bucket(Bucket="same")
    other.clients().s3.create_bucket(Bucket="same")
    one.clients().s3.put_object(Bucket="same", Key="key", Body=b"one")
    assert one.variables()["CDK_HOME"] != other.variables()["CDK_HOME"]
    one.stop()

    assert other.clients().s3.list_objects_v2(Bucket="same")["KeyCount"] == 0


def test_two_commands_at_once_start_one_server(environment: LocalEnvironment) -> None:
    pids: list[int | None] = []
    threads = [threading.Thread(target=lambda: pids.append(environment.start().pid)) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(pids) == 3
    assert len(set(pids)) == 1


def test_clients_and_children_ignore_the_users_settings(
    environment: LocalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.start()
    for name, value in {
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "secret",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_CA_BUNDLE": "/nowhere",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)

    environment.clients().s3.create_bucket(Bucket="reached")
    listing = subprocess.run(
        [ROOT / ".venv/bin/aws", "s3", "ls"], env=environment.environ(), capture_output=True, text=True, check=True
    )

    assert listing.stdout.endswith("reached\n")
    assert "AWS_PROFILE" not in environment.environ()


def test_functions_inherit_nothing_of_the_users_environment(
    environment: LocalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setenv("AWS_PROFILE", "production")
    environment.start(settings={"EXTRA": "given"})
    clients = environment.clients()
    create_function(clients, "variables", "import os\ndef handler(event, context): return dict(os.environ)")

    seen = invoke(clients, "variables", {})

    assert {"MY_SECRET", "SSL_CERT_FILE", "AWS_PROFILE"}.isdisjoint(seen)
    assert seen["EXTRA"] == "given"
    assert seen["TZ"] == "UTC"
    assert seen["HOME"].startswith(str(environment.state_dir))


def test_a_strict_environment_without_openssl_does_not_start(
    environment: LocalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(UserError, match="openssl") as raised:
        environment.start(strict=True)

    assert "apt-get install openssl" in str(raised.value.remedy)
    assert environment.status().state == "down"


def test_a_strict_environment_speaks_tls_with_its_certificate(
    environment: LocalEnvironment, make_environment: MakeEnvironment
) -> None:
    port = environment.start(strict=True).port
    clients, variables = environment.clients(), environment.variables()
    certificate, secret = variables["AWS_CA_BUNDLE"], variables["AWS_SECRET_ACCESS_KEY"]
    role = create_role(clients, "reader")
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    create_function(clients, "variables", source, role=role)

    seen = invoke(clients, "variables", {})

    assert variables["NODE_EXTRA_CA_CERTS"] == certificate
    assert Path(certificate).read_text().count("BEGIN CERTIFICATE") == 1
    assert {seen[name] for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")} == {certificate}
    assert seen["AWS_ENDPOINT_URL"] == variables["AWS_ENDPOINT_URL"]
    other = make_environment()
    other.start(strict=True)
    for bundle in (None, other.variables()["AWS_CA_BUNDLE"]):  # None: the certificates of the system
        with pytest.raises(ssl.SSLCertVerificationError):
            status_code(HTTPSConnection(process.HOST, port, context=ssl.create_default_context(cafile=bundle)), secret)
    with pytest.raises(RemoteDisconnected):
        status_code(HTTPConnection(process.HOST, port), secret)
    trusting = HTTPSConnection(process.HOST, port, context=ssl.create_default_context(cafile=certificate))
    assert status_code(trusting, secret) == 200
    other.stop()


def status_code(connection: HTTPConnection, secret: str) -> int:
    """A server's answer to a request."""
    with contextlib.closing(connection):
        connection.request("GET", IDENTITY_PATH, headers=question(secret))
        return connection.getresponse().status


WRITER = """
    import boto3

    def handler(event, context):
        boto3.client("s3").put_object(Bucket="target", Key="key", Body=b"")
        return "written"
"""
WRITING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}'


def test_strict_environment_enforces_the_roles_of_functions(environment: LocalEnvironment) -> None:
    environment.start(strict=True)
    clients = environment.clients()
    clients.s3.create_bucket(Bucket="target")
    role = create_role(clients, "writer")
    create_function(clients, "writer", WRITER, role=role)

    refused = invoke(clients, "writer", {})
    clients.iam.put_role_policy(RoleName="writer", PolicyName="write", PolicyDocument=WRITING)

    assert refused["errorType"] == "AccessDenied"
    assert "s3:PutObject" in refused["errorMessage"]
    assert invoke(clients, "writer", {}) == "written"
    with pytest.raises(ClientError, match="NoSuchKey"):
        clients.s3.get_object(Bucket="target", Key="other")
