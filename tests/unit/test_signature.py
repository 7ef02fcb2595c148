import string
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from etl.tables.signature import Signer

NOW = 1_700_000_000
TEXT = st.text(string.ascii_letters + string.digits + "/+=%", min_size=1, max_size=40)
ENDPOINTS = st.sampled_from(
    [
        "https://dynamodb.eu-central-1.amazonaws.com",
        "https://dynamodb.eu-central-1.amazonaws.com:443",
        "https://DYNAMODB.us-gov-west-1.amazonaws.com:8443/",
        "http://127.0.0.1:4566",
        "http://localhost:80",
        "https://[::1]:8000",
        "http://[::1]",
    ]
)


def head(signer: Signer, body: bytes) -> dict[str, str]:
    line, *lines, empty, end = signer.head(body).decode().split("\r\n")
    assert (line, empty, end) == ("POST / HTTP/1.1", "", "")
    return dict(header.split(": ", 1) for header in lines)


def by_botocore(endpoint: str, region: str, credentials: Credentials, body: bytes, headers: dict[str, str]) -> str:
    """The Authorization header that botocore makes for a request of this instant."""
    unsigned = {name: headers[name] for name in ("content-type", "x-amz-target", "x-amz-date")}
    if credentials.token:
        unsigned["x-amz-security-token"] = credentials.token
    request = AWSRequest("POST", endpoint.rstrip("/") + "/", unsigned, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer: Any = SigV4Auth(credentials, "dynamodb", region)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signed: AWSRequest = signer._inject_signature_to_request(request, signer.signature(to_sign, request))
    return str(signed.headers["Authorization"])


@given(
    ENDPOINTS,
    st.sampled_from(["eu-central-1", "us-gov-west-1", "local"]),
    TEXT,
    TEXT,
    st.none() | TEXT,
    st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 4_000_000_000)), min_size=1, max_size=4),
)
def test_signatures_are_those_of_botocore(
    endpoint: str, region: str, key: str, secret: str, token: str | None, requests: list[tuple[bytes, int]]
) -> None:
    credentials = Credentials(key, secret, token)
    now = [0]
    signer = Signer(endpoint, region, credentials, {"user-agent": "100 %"}, clock=lambda: now[0] + 0.5)
    for body, instant in requests:
        now[0] = instant
        headers = head(signer, body)

        assert headers["authorization"] == by_botocore(endpoint, region, credentials, body, headers)
        assert headers["content-length"] == str(len(body))


def test_the_host_is_the_one_that_botocore_signs() -> None:
    for endpoint, host in (
        ("https://a.b:443", "a.b"),
        ("http://a.b:443", "a.b:443"),
        ("https://[::1]:8000", "[::1]:8000"),
    ):
        assert head(Signer(endpoint, "r", Credentials("a", "b")), b"")["host"] == host


def test_further_headers_come_along_unsigned() -> None:
    headers = head(Signer("https://a.b", "r", Credentials("a", "b"), {"user-agent": "50 % more"}), b"")

    assert headers["user-agent"] == "50 % more"
    assert "user-agent" not in headers["authorization"]


def test_the_instant_is_that_of_the_request() -> None:
    now = [float(NOW)]
    signer = Signer("https://a.b", "r", Credentials("a", "b"), clock=lambda: now[0])
    first = head(signer, b"")["x-amz-date"]
    now[0] += 0.9
    same_second = head(signer, b"")["x-amz-date"]
    now[0] += 0.1

    assert (first, same_second, head(signer, b"")["x-amz-date"]) == ("20231114T221320Z",) * 2 + ("20231114T221321Z",)


@pytest.mark.parametrize("token", [None, "token"])
def test_credentials_are_asked_for_at_every_request(token: str | None) -> None:
    credentials = Credentials("old", "secret", token)
    signer = Signer("https://a.b", "r", credentials, clock=lambda: NOW)
    head(signer, b"")
    credentials.access_key, credentials.token = "new", "new-token"
    headers = head(signer, b"")

    assert "Credential=new/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "new-token"
