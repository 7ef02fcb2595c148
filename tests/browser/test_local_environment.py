"""A web page in a real browser against the local environment: it can neither read nor do anything there."""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.browser.chromium import Chromium, Page
from tests.conftest import MakeEnvironment
from tests.local.aws import ROLE
from tests.serving import serving

REBOUND = "rebound.example"  # a name of the attacker's, which leads to this machine
UNGUARDED_SERVER = """
from etl_cli.local import guard
from etl_cli.local import server
guard.Guard._refusal_of_sender = lambda *_: None
guard.refusal_of_key = lambda *_: None
guard._without_cors = lambda send: send
server.main()
"""


class UnguardedEnvironment(LocalEnvironment):
    """One that answers everybody."""

    def _command(self, token: str) -> list[str]:
        return [sys.executable, "-c", UNGUARDED_SERVER, token]


class Attacker(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>harmless</title><iframe name=answer></iframe>")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of another origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Attacker)
    rules = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
    with serving(server) as url, Chromium(tmp_path_factory.mktemp("profile"), rules) as browser:
        yield browser.open(f"{url}/")


@pytest.fixture(scope="module")
def guarded(make_environment: MakeEnvironment) -> Iterator[LocalEnvironment]:
    environment = make_environment()
    environment.start()
    yield environment
    environment.stop()


@pytest.fixture(scope="module")
def unguarded(make_environment: MakeEnvironment) -> Iterator[LocalEnvironment]:
    environment = make_environment(UnguardedEnvironment)
    environment.start()
    yield environment
    environment.stop()


def function(name: str, proof: Path) -> str:
    """A request that creates a function; the function proves that it ran on this machine."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", f"def handler(event, context): open({str(proof)!r}, 'w').close()")
    code = {"ZipFile": base64.b64encode(content.getvalue()).decode()}
    return json.dumps(
        {"FunctionName": name, "Runtime": "python3.11", "Handler": "index.handler", "Role": ROLE, "Code": code}
    )


SIMPLE = """
    for (const [path, body] of %s)
        await fetch(%s + path, {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body});
"""
# A form sends name=value: the sign is put into a text of the JSON.
FORM = """
    for (const [path, body] of %s) {
        const form = document.createElement("form"), field = document.createElement("input");
        form.method = "POST"; form.enctype = "text/plain"; form.target = "answer"; form.action = %s + path;
        field.name = body.slice(0, -1) + (body == "{}" ? "" : ",") + '"Description":"'; field.value = '"}';
        form.append(field); document.body.append(form);
        const done = new Promise((resolve) => document.querySelector("iframe").onload = resolve);
        form.submit(); await done;
    }
"""
PREFLIGHTED = """
    for (const [path, body] of %s)
        await fetch(%s + path, {method: "POST", headers: {"Content-Type": "application/json", "Authorization":
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0"},
            body}).catch(() => null);
"""
WAYS = {"simple": SIMPLE, "form": FORM, "preflighted": PREFLIGHTED}


def attack(page: Page, environment: LocalEnvironment, way: str, proof: Path) -> None:
    """Have the page create and invoke a function."""
    path = "/2015-03-31/functions"
    steps = json.dumps([[path, function(way, proof)], [f"{path}/{way}/invocations", "{}"]])
    page.evaluate(f"(async () => {{ {WAYS[way] % (steps, json.dumps(environment.status().endpoint))} }})()")


@pytest.mark.parametrize("way", WAYS)
def test_page_runs_no_code(page: Page, guarded: LocalEnvironment, tmp_path: Path, way: str) -> None:
    attack(page, guarded, way, tmp_path / "ran")

    assert not (tmp_path / "ran").exists()
    assert guarded.clients().lambda_.list_functions()["Functions"] == []


@pytest.mark.parametrize("way", WAYS)
def test_without_the_guard_it_would(page: Page, unguarded: LocalEnvironment, tmp_path: Path, way: str) -> None:
    attack(page, unguarded, way, tmp_path / "ran")

    assert (tmp_path / "ran").exists()


READ = "fetch(%s).then(async (answer) => [answer.status, await answer.text()], () => [0, ''])"


@pytest.mark.parametrize("path", ["/", "/_ministack/health", "/_etl/identity"])
def test_page_reads_nothing(page: Page, guarded: LocalEnvironment, path: str) -> None:
    assert page.evaluate(READ % json.dumps(f"{guarded.status().endpoint}{path}")) == [0, ""]


def test_without_the_guard_it_would_read(page: Page, unguarded: LocalEnvironment) -> None:
    status, text = page.evaluate(READ % json.dumps(f"{unguarded.status().endpoint}/"))

    assert (status, "ListAllMyBucketsResult" in text) == (200, True)


def rebound(page: Page, environment: LocalEnvironment) -> list[Any]:
    """Under a name of the attacker's, the page and the environment are of one origin: try to read, and to write."""
    page.load(f"http://{REBOUND}:{environment.status().port}/")
    read = page.evaluate(READ % '"/"')
    written = page.evaluate("fetch('/bucket', {method: 'PUT'}).then((answer) => answer.status)")
    return [read[0], written]


def test_name_that_is_rebound_to_this_machine_gets_nothing(page: Page, guarded: LocalEnvironment) -> None:
    assert rebound(page, guarded) == [403, 403]
    assert guarded.clients().s3.list_buckets()["Buckets"] == []


def test_without_the_guard_it_would_get_all(page: Page, unguarded: LocalEnvironment) -> None:
    assert rebound(page, unguarded) == [200, 200]
