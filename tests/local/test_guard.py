"""Access to the local environment: for no web page, no other user, and nobody without the key."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from etl_cli.local.clients import Clients
from etl_cli.local.environment import LocalEnvironment
from etl_cli.local.identity import IDENTITY_PATH, question
from tests.conftest import MakeEnvironment
from tests.local.aws import create_function, create_role, invoke
from tests.support import ROOT

INTERNAL = (
    "/_ministack/health",
    "/_localstack/health",
    "/health",
    "/_ministack/ready",
    "/_ministack/reset",
    "/_ministack/config",
    "/_ministack/ses/messages",
    "/_ministack/lambda-code/any",
    "/_ministack/cfn-response/any",
    "/_ministack/cfn-signal/any",
    "/_ministack/rds/iam-auth",
    "/_ministack/rds/ca.pem",
    "/oauth2/authorize",
    IDENTITY_PATH,
)


def started(made: LocalEnvironment, *, strict: bool) -> Iterator[LocalEnvironment]:
    made.start(strict=strict)
    made.clients().s3.create_bucket(Bucket="kept")
    made.clients().s3.put_object(Bucket="kept", Key="text", Body=b"content")
    yield made
    made.stop()


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "strict"])
def environment(request: pytest.FixtureRequest, make_environment: MakeEnvironment) -> Iterator[LocalEnvironment]:
    yield from started(make_environment(), strict=request.param)


@pytest.fixture(scope="module")
def strict(make_environment: MakeEnvironment) -> Iterator[LocalEnvironment]:
    yield from started(make_environment(), strict=True)


@pytest.fixture(scope="module")
def plain(make_environment: MakeEnvironment) -> Iterator[LocalEnvironment]:
    yield from started(make_environment(), strict=False)


@pytest.fixture(scope="module")
def clients(environment: LocalEnvironment) -> Clients:
    """Made once: a client takes a tenth of a second."""
    return environment.clients()


def credentials(environment: LocalEnvironment) -> Credentials:
    variables = environment.variables()
    return Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])


def connection(environment: LocalEnvironment) -> http.client.HTTPConnection:
    variables = environment.variables()
    address = urlsplit(variables["AWS_ENDPOINT_URL"])
    assert address.hostname
    if address.scheme == "http":
        return http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    context = ssl.create_default_context(cafile=variables["AWS_CA_BUNDLE"])
    return http.client.HTTPSConnection(address.hostname, address.port, timeout=30, context=context)


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()


def send(environment: LocalEnvironment, request: AWSRequest) -> Answer:
    """Send a request as it is."""
    prepared = request.prepare()
    link = connection(environment)
    try:
        path = urlsplit(prepared.url)
        link.putrequest(str(prepared.method), f"{path.path}?{path.query}" if path.query else path.path, skip_host=True)
        headers = [(name, text(value)) for name, value in prepared.headers.items()]
        if "host" not in {name.lower() for name, _ in headers}:
            headers.append(("Host", path.netloc))
        for name, value in headers:
            link.putheader(name, value)
        link.endheaders(prepared.body if isinstance(prepared.body, bytes) else None)
        return Answer(link.getresponse())
    finally:
        link.close()


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def listing(
    environment: LocalEnvironment,
    headers: dict[str, str] | None = None,
    *,
    keys: Credentials | None = None,
    more: str = "",
) -> AWSRequest:
    """A signed request for the list of buckets, with an addition to its address afterwards."""
    request = AWSRequest("GET", environment.variables()["AWS_ENDPOINT_URL"] + "/", headers=headers or {})
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    SigV4Auth(keys or credentials(environment), "s3", "us-east-1").add_auth(request)
    request.url = f"{request.url}{more}"
    return request


def test_its_own_key_may_do_everything(environment: LocalEnvironment) -> None:
    answer = send(environment, listing(environment))

    assert answer.status == 200
    assert b"kept" in answer.body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost:{port}", "127.0.0.1", "127.0.0.1:1"]
)
def test_foreign_host_is_refused(environment: LocalEnvironment, host: str) -> None:
    request = listing(environment, {"Host": host.format(port=environment.status().port)})

    answer = send(environment, request)

    assert answer.status == 403
    assert b"Host" in answer.body


@pytest.mark.parametrize("header", [("Origin", "http://127.0.0.1:1"), ("Origin", "null"), ("Origin", "")])
def test_request_of_a_page_is_refused(environment: LocalEnvironment, header: tuple[str, str]) -> None:
    assert send(environment, listing(environment, dict([header]))).status == 403


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 403), ("none", 200)]
)
def test_request_that_a_site_begins_is_refused(environment: LocalEnvironment, site: str, status: int) -> None:
    assert send(environment, listing(environment, {"Sec-Fetch-Site": site})).status == status


@pytest.mark.parametrize("path", INTERNAL)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
def test_no_page_is_open_without_a_credential(
    environment: LocalEnvironment, clients: Clients, method: str, path: str
) -> None:
    address = environment.variables()["AWS_ENDPOINT_URL"] + path

    answer = send(environment, AWSRequest(method, address, data=b"{}", headers={"Content-Length": "2"}))

    assert answer.status == 403
    assert clients.s3.list_buckets()["Buckets"]


@pytest.mark.parametrize(
    "key", ["test", "000000000000", "123456789012", "AKIAAAAAAAAAAAAAAAAA", "ASIAAAAAAAAAAAAAAAAA", "é"]
)
@pytest.mark.parametrize("form", ["header", "query", "version 2"])
def test_every_other_key_is_refused(environment: LocalEnvironment, key: str, form: str) -> None:
    address = environment.variables()["AWS_ENDPOINT_URL"] + "/"
    request = AWSRequest("GET", address)
    match form:
        case "header":
            scope = f"{key}/20260101/us-east-1/s3/aws4_request"
            request.headers["Authorization"] = (
                (f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00").encode().decode("latin-1")
            )
        case "query":
            request.params = {"X-Amz-Credential": f"{key}/20260101/us-east-1/s3/aws4_request", "X-Amz-Signature": "00"}
        case _:
            request.params = {"AWSAccessKeyId": key, "Signature": "00", "Expires": "99999999999"}

    assert send(environment, request).status == 403


def test_second_credential_is_refused(environment: LocalEnvironment) -> None:
    """Else the one that is looked at might not be the one that counts."""
    request = listing(environment, more="?X-Amz-Credential=test/20260101/us-east-1/s3/aws4_request")

    assert send(environment, request).status == 403


def test_key_of_an_earlier_start_is_refused(make_environment: MakeEnvironment) -> None:
    environment = make_environment()
    environment.start()
    before = credentials(environment)
    environment.reset()

    assert send(environment, listing(environment)).status == 200
    assert send(environment, listing(environment, keys=before)).status == 403
    environment.stop()


def test_no_answer_has_headers_for_other_origins(environment: LocalEnvironment) -> None:
    clients = environment.clients()
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}
    clients.s3.put_bucket_cors(Bucket="kept", CORSConfiguration={"CORSRules": [rule]})  # type: ignore[list-item]
    answers: list[Any] = [clients.s3.list_buckets(), clients.s3.get_object(Bucket="kept", Key="text")]
    address = environment.variables()["AWS_ENDPOINT_URL"] + "/kept/text"
    asks = {"Access-Control-Request-Method": "GET"}
    preflights = [AWSRequest("OPTIONS", address, headers=asks | more) for more in ({}, {"Origin": "http://a.example"})]

    sent = [send(environment, request) for request in (*preflights, listing(environment))]

    names = {name.lower() for answer in answers for name in answer["ResponseMetadata"]["HTTPHeaders"]}
    names |= {name.lower() for answer in sent for name in answer.headers}
    assert "date" in names
    assert not [name for name in names if name.startswith("access-control-")]
    assert [answer.status for answer in sent] == [403, 403, 200]


def test_websocket_is_refused(environment: LocalEnvironment) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }

    assert send(environment, listing(environment, headers)).status in (400, 403)


AMBIGUOUS: dict[str, str] = {
    "two hosts": "GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nAuthorization: {authorization}\r\n\r\n",
    "two equal hosts": "GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\r\n",
    "no host": "GET / HTTP/1.0\r\nAuthorization: {authorization}\r\n\r\n",
    "absolute": "GET http://evil.example/ HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\r\n",
    "lengths": "POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\nContent-Length: 5\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two credentials": "GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request\r\n\r\n",
    "spaced": "GET / HTTP/1.1\r\nHost : {host}\r\nAuthorization: {authorization}\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_request_is_refused(plain: LocalEnvironment, name: str) -> None:
    variables = plain.variables()
    host = urlsplit(variables["AWS_ENDPOINT_URL"]).netloc
    scope = f"{variables['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"
    plainly = "GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\r\n"

    assert first_line(host, plainly.format(host=host, authorization=authorization)).split()[1] == "200"
    assert first_line(host, AMBIGUOUS[name].format(host=host, authorization=authorization)).split()[1] in ("400", "403")


def first_line(host: str, request: str) -> str:
    name, port = host.split(":")
    with socket.create_connection((name, int(port)), timeout=10) as link:
        link.sendall(request.encode())
        return link.makefile().readline()


def test_identity_is_told_only_to_those_who_prove_theirs(environment: LocalEnvironment) -> None:
    secret = environment.variables()["AWS_SECRET_ACCESS_KEY"]
    address = environment.variables()["AWS_ENDPOINT_URL"] + IDENTITY_PATH
    right, wrong = question(secret), question("another secret")
    mixed = {**right, "x-etl-nonce": "other"}

    answers = [
        send(environment, AWSRequest("GET", address, headers=each)) for each in (right, wrong, mixed, question(""))
    ]

    assert [answer.status for answer in answers] == [200, 403, 403, 403]
    assert all(secret.encode() not in answer.body for answer in answers)
    assert json.loads(answers[0].body)["proof"] != right["x-etl-proof"]


SELF = """
    import boto3, os

    def handler(event, context):
        keys = {name: os.environ[name] for name in os.environ if name.startswith("AWS_") and "KEY" in name}
        keys["AWS_SESSION_TOKEN"] = os.environ["AWS_SESSION_TOKEN"]
        return {"arn": boto3.client("sts").get_caller_identity()["Arn"], **keys}
"""


def test_function_gets_a_session_of_its_own(environment: LocalEnvironment) -> None:
    clients, variables = environment.clients(), environment.variables()
    role = create_role(clients, "self")
    create_function(clients, "self", SELF, role=role)

    seen = invoke(clients, "self", {})

    assert seen["arn"] == "arn:aws:sts::000000000000:assumed-role/self/self"
    assert not {variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]} & set(seen.values())
    session = (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"])
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    calling = AWSRequest(
        "POST",
        variables["AWS_ENDPOINT_URL"] + "/",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    statuses = []
    for token in (seen["AWS_SESSION_TOKEN"], "another", None):
        request = AWSRequest(calling.method, calling.url, data=calling.data, headers=dict(calling.headers))
        SigV4Auth(Credentials(*session, token), "sts", "us-east-1").add_auth(request)
        request.headers["Content-Length"] = str(len(body))
        statuses.append(send(environment, request).status)
    assert statuses == [200, 403, 403]


def test_keys_of_functions_do_not_follow_from_their_names(make_environment: MakeEnvironment) -> None:
    keys = []
    for _ in range(2):
        environment = make_environment()
        environment.start()
        create_function(environment.clients(), "self", SELF)
        keys.append(invoke(environment.clients(), "self", {})["AWS_ACCESS_KEY_ID"])
        environment.stop()

    assert keys[0] != keys[1]


def test_assumed_role_is_taken_until_it_expires(environment: LocalEnvironment) -> None:
    clients = environment.clients()
    role = create_role(clients, "assumed")

    unchecked = clients.options["config"].merge(Config(parameter_validation=False))  # on AWS, 900 seconds at least
    sts = clients.session.client("sts", **(clients.options | {"config": unchecked}))

    def identity(seconds: int) -> Callable[[], str]:
        given = sts.assume_role(RoleArn=role, RoleSessionName="one", DurationSeconds=seconds)["Credentials"]
        session = boto3.Session(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="us-east-1"
        )
        client = session.client("sts", **clients.options)
        return lambda: client.get_caller_identity()["Arn"]

    assert identity(900)().endswith("assumed-role/assumed/one")
    late = identity(1)
    time.sleep(1.1)
    with pytest.raises(ClientError, match="Expired"):
        late()


def test_error_names_the_command_that_gives_the_key(environment: LocalEnvironment) -> None:
    clients = environment.clients()
    wrong: Any = boto3.Session("AKIAAAAAAAAAAAAAAAAA", "secret", region_name="us-east-1")

    for service, call in (
        ("s3", "list_buckets"),
        ("sts", "get_caller_identity"),
        ("dynamodb", "list_tables"),
        ("lambda", "list_functions"),
        ("stepfunctions", "list_state_machines"),
    ):
        with pytest.raises(ClientError) as raised:
            getattr(wrong.client(service, **clients.options), call)()
        assert "UnrecognizedClientException" in str(raised.value)
        assert "etl local env" in str(raised.value)


def presigned(environment: LocalEnvironment, version: str | None, keys: Credentials | None = None) -> str:
    key = keys or credentials(environment)
    session: Any = boto3.Session(key.access_key, key.secret_key, region_name="us-east-1")
    options = environment.clients().options
    client = session.client(
        "s3",
        **(options | {"config": options["config"].merge(Config(signature_version=version))} if version else options),
    )
    address: str = client.generate_presigned_url("get_object", Params={"Bucket": "kept", "Key": "text"}, ExpiresIn=60)
    return address


@pytest.mark.parametrize("version", [None, "s3v4", "s3"])
def test_presigned_address_needs_no_more(environment: LocalEnvironment, version: str | None) -> None:
    answer = send(environment, AWSRequest("GET", presigned(environment, version)))

    assert (answer.status, answer.body) == (200, b"content")


def test_aws_cli_copies_and_presigns(environment: LocalEnvironment, tmp_path: Any) -> None:
    aws, variables = str(ROOT / ".venv/bin/aws"), environment.environ()
    (tmp_path / "large").write_bytes(os.urandom(9_000_000))  # in parts

    def run(*arguments: str) -> str:
        done = subprocess.run([aws, "s3", *arguments], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("cp", str(tmp_path / "large"), "s3://kept/large")
    run("cp", "s3://kept/large", str(tmp_path / "copy"))
    address = run("presign", "s3://kept/text")

    assert (tmp_path / "copy").read_bytes() == (tmp_path / "large").read_bytes()
    assert send(environment, AWSRequest("GET", address)).body == b"content"
    run("rm", "s3://kept/large")


# With --strict, the signature counts.


def test_wrong_signature_is_refused(strict: LocalEnvironment) -> None:
    own = credentials(strict)
    forged = Credentials(own.access_key, "0" * 40)
    altered = listing(strict, more="kept")
    bad = listing(strict)
    bad.headers.replace_header("Authorization", bad.headers["Authorization"][:-64] + "0" * 64)

    assert send(strict, listing(strict)).status == 200
    for request in (listing(strict, keys=forged), altered, bad):
        answer = send(strict, request)
        assert answer.status == 403
        assert b"SignatureDoesNotMatch" in answer.body


def test_other_body_than_the_signed_one_is_refused(strict: LocalEnvironment) -> None:
    def put(declared: bytes) -> Answer:
        address = strict.variables()["AWS_ENDPOINT_URL"] + "/kept/other"
        request = AWSRequest("PUT", address, data=declared)
        SigV4Auth(credentials(strict), "s3", "us-east-1").add_auth(request)
        request.data = b"sent"
        request.headers["Content-Length"] = "4"
        return send(strict, request)

    assert put(b"sent").status == 200
    assert put(b"told").status == 403
    for declared in ({}, {"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()}):
        assert [list_tables(strict, declared, body) for body in (b"{}", b'{"Limit": 1}')] == [200, 403]


def list_tables(environment: LocalEnvironment, headers: dict[str, str], body: bytes) -> int:
    """The status of a request whose body is another than the empty object that was signed, perhaps."""
    headers = headers | {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", environment.variables()["AWS_ENDPOINT_URL"] + "/", data=b"{}", headers=headers)
    SigV4Auth(credentials(environment), "dynamodb", "us-east-1").add_auth(request)
    request.data, request.headers["Content-Length"] = body, str(len(body))
    return send(environment, request).status


@pytest.mark.parametrize(("minutes", "status"), [(-16, 403), (-14, 200), (14, 200), (16, 403)])
def test_time_of_a_signature_may_be_15_minutes_off(
    strict: LocalEnvironment, monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
) -> None:
    """S3 API Reference, "Authenticating Requests: Using the Authorization Header"."""
    at(monkeypatch, datetime.now(UTC) + timedelta(minutes=minutes))

    assert send(strict, listing(strict)).status == status


@pytest.mark.parametrize(("age", "status"), [(0, 200), (50, 200), (61, 403), (-960, 403)])
def test_presigned_address_expires(
    strict: LocalEnvironment, monkeypatch: pytest.MonkeyPatch, age: int, status: int
) -> None:
    at(monkeypatch, datetime.now(UTC) - timedelta(seconds=age))

    assert send(strict, AWSRequest("GET", presigned(strict, "s3v4"))).status == status


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_forged_presigned_address_is_refused(strict: LocalEnvironment, version: str) -> None:
    forged = Credentials(credentials(strict).access_key, "0" * 40)
    right = presigned(strict, version)

    for address in (presigned(strict, version, forged), right.replace("/text", "/other"), right + "&x=1&versionId=2"):
        assert send(strict, AWSRequest("GET", address)).status == 403


def test_a_presigned_address_is_valid_for_a_week_at_most(strict: LocalEnvironment) -> None:
    address = strict.variables()["AWS_ENDPOINT_URL"] + "/kept/text"

    statuses = []
    for seconds in (60, 604_801, "", "-1", "many"):
        request = AWSRequest("GET", address)
        S3SigV4QueryAuth(credentials(strict), "s3", "us-east-1", expires=seconds).add_auth(request)  # type: ignore[arg-type]
        statuses.append(send(strict, request).status)
    late = AWSRequest("GET", address)
    HmacV1QueryAuth(credentials(strict), expires=-1).add_auth(late)

    assert statuses == [200, 403, 403, 403, 403]
    assert send(strict, late).status == 403


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Have botocore sign as if it were another time."""
    for module in ("botocore.auth", "botocore.compat"):
        monkeypatch.setattr(
            f"{module}.get_current_datetime", lambda *_, **__: moment.replace(tzinfo=None), raising=False
        )
