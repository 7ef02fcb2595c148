"""Protects the embedded AWS from web pages and from other users of the machine.

A page in a browser can send requests to any port of this machine, with DNS rebinding even under any name. So a request
must name the server's own address, must not come from a page, and must present an access key that only the owner of
the state folder can read.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from etl_cli.local.credentials import AccessKey, presented_key, refusal_of_key
from etl_cli.local.identity import IDENTITY_PATH, NONCE_HEADER, PROOF_HEADER, proof, proves
from etl_cli.local.request import Received, Refusal
from etl_cli.local.signatures import refusal_of_signature

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_CUSTOM_RESOURCE, _WAIT_CONDITION = "/_ministack/cfn-response/", "/_ministack/cfn-signal/"


class Guard:
    """An ASGI application that passes only permitted requests on."""

    def __init__(self, application: Application, key: AccessKey, port: int, *, strict: bool, proxied: bool) -> None:
        """Guard an application on a port of 127.0.0.1.

        Args:
            application: answers the permitted requests.
            key: the environment's access key.
            port: the server's.
            strict: check signatures too.
            proxied: allow requests that name another port, from which a proxy forwards them.
        """
        self._application = application
        self._key = key
        self._strict = strict
        self._proxied = proxied
        self._hosts = {f"127.0.0.1:{port}"} | ({"127.0.0.1"} if port == (443 if strict else 80) else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":  # the embedded AWS has no WebSocket API
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _received(scope)
        refusal = self._refusal_of_sender(scope, request)
        if refusal is None and scope["path"] == IDENTITY_PATH:
            await self._identify(request, send)
            return
        if refusal is None and not _is_awaited(scope):
            key = presented_key(request)
            refusal = refusal_of_key(key, self._key, request.session_token)
            if self._strict and key is not None and refusal is None:
                body, receive = await _read(receive)
                refusal = refusal_of_signature(request, key, body)
        if refusal is not None:
            await _refuse(request, refusal, send)
            return
        await self._application(scope, receive, _without_cors(send))

    def _refusal_of_sender(self, scope: Scope, request: Received) -> Refusal | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return Refusal("AccessDenied", f"The header Host must be {min(self._hosts, key=len)}.")
        if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
            return Refusal("AccessDenied", "Web pages may not use the local environment.")
        names = [name for name, _ in scope["headers"]]
        lengths = {b"transfer-encoding", b"content-length"}.issubset(names)
        if not request.raw_path.startswith("/") or lengths or names.count(b"authorization") > 1:
            return Refusal("InvalidRequest", "The request is ambiguous.")
        return None

    def _is_own(self, host: str) -> bool:
        name, _, port = host.partition(":")
        return host in self._hosts or (self._proxied and name == "127.0.0.1" and port.isascii() and port.isdigit())

    async def _identify(self, request: Received, send: Send) -> None:
        nonce = request.headers.get(NONCE_HEADER, "")
        if not proves(request.headers.get(PROOF_HEADER, ""), self._key.secret, "client", nonce):
            await _refuse(request, Refusal("AccessDenied", "The proof is missing or wrong."), send)
            return
        await _respond(send, 200, "application/json", json.dumps({"proof": proof(self._key.secret, "server", nonce)}))


def _received(scope: Scope) -> Received:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), _text(raw_value)
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
    return Received(scope["method"], (scope.get("raw_path") or b"").decode("latin-1"), query, headers)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _is_awaited(scope: Scope) -> bool:
    """Whether CloudFormation waits for this answer. Its secret address is the permission.

    On AWS it is a presigned address of S3 (CloudFormation User Guide, "Custom resource request objects").
    """
    path = str(scope["path"])
    if scope["method"] != "PUT" or not path.startswith((_CUSTOM_RESOURCE, _WAIT_CONDITION)):
        return False
    from ministack.services.cloudformation import custom_resource, wait_conditions

    name = path.rpartition("/")[2]
    if path == _CUSTOM_RESOURCE + name:
        return name in custom_resource._pending
    return path == _WAIT_CONDITION + name and bool(wait_conditions.has_handle(name))


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """Read the whole body; also return a function from which the application receives it again."""
    messages: list[Message] = []
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
    body = b"".join(message.get("body", b"") for message in messages)
    messages.reverse()

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return body, again


def _without_cors(send: Send) -> Send:
    """Remove the CORS headers, with which a page of another origin could read an answer."""

    async def plainly(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return plainly


async def _refuse(request: Received, refusal: Refusal, send: Send) -> None:
    """Refuse as AWS does, in the client's protocol."""
    code, message = refusal
    if "x-amz-target" in request.headers or "/lambda/" in request.headers.get("authorization", ""):
        await _respond(send, 403, "application/json", json.dumps({"__type": code, "message": message}), code)
        return
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        error = f"<ErrorResponse>{error}</ErrorResponse>"
    await _respond(send, 403, "application/xml", error, code)


async def _respond(send: Send, status: int, content_type: str, text: str, error: str = "") -> None:
    body = text.encode()
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    if error:
        # An unread rest of the body must not be taken for another request.
        headers += [(b"x-amzn-errortype", error.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
