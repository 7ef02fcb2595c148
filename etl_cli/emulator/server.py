"""The server process of a local environment: `python -m etl_cli.emulator.server TOKEN`.

Corrects ministack, has it answer IDENTITY_PATH with the token, and runs it until a signal ends it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from etl_cli.emulator.corrections import CorrectionError, apply_all

IDENTITY_PATH = "/_etl/identity"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def identified(application: Application, token: str) -> Application:
    """The ASGI application, which also says whose server it is."""
    body = json.dumps({"token": token}).encode()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == IDENTITY_PATH:
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await application(scope, receive, send)

    return answer


def main() -> None:
    """Run the corrected server; GATEWAY_PORT and BIND_HOST say where it listens."""
    token = sys.argv[1]
    sys.argv = ["ministack"]
    try:
        apply_all()
    except CorrectionError as error:
        sys.exit(f"error: {error}")

    from ministack import app as ministack  # after the corrections

    ministack.app = identified(ministack.app, token)
    ministack._port_is_bindable = lambda *_: False  # with HTTPS it would listen on port 443 too
    ministack.main()


if __name__ == "__main__":
    main()
