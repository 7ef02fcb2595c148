"""The server process of a local environment: `python -m etl_cli.local.server TOKEN`.

Corrects ministack, guards it, and runs it until a signal ends it. The token identifies the process. It is no secret:
every user of the machine can see it.
"""

from __future__ import annotations

import os
import subprocess
import sys

from etl_cli.local.corrections.apply import apply_all
from etl_cli.local.corrections.upstream import CorrectionError
from etl_cli.local.credentials import AccessKey, give_functions_sessions
from etl_cli.local.guard import Guard

# Its input ends with the server, even if that is killed. Then it ends the rest of the server's process group.
_LAST_ONE = "import os, signal, sys; sys.stdin.read(); os.killpg(os.getpgrp(), signal.SIGKILL)"


def end_with_server() -> subprocess.Popen[bytes]:
    """End the functions' processes with this one, even if it is killed. Keep the result.

    Linux can send a signal at a parent's end, but its parent is the thread that started the process, and threads that
    start functions end.
    """
    return subprocess.Popen([sys.executable, "-ISc", _LAST_ONE], stdin=subprocess.PIPE)


def main() -> None:
    """Run the corrected server on BIND_HOST and GATEWAY_PORT."""
    sys.argv = ["ministack"]
    key = AccessKey(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    try:
        apply_all()
    except CorrectionError as error:
        sys.exit(f"error: {error}")

    from ministack import app as ministack  # after the corrections

    give_functions_sessions()
    ministack.app = Guard(
        ministack.app,
        key,
        int(os.environ["GATEWAY_PORT"]),
        strict=ministack.AUTH,
        proxied="ETL_PROXIED" in os.environ,
    )
    ministack.BANNER = "Starting on port {port}"  # 15 lines of it would hide a server's last lines
    ministack._port_is_bindable = lambda *_: False  # with HTTPS it would also listen on port 443
    last_one = end_with_server() if os.getpgrp() == os.getpid() else None
    ministack.main()
    del last_one


if __name__ == "__main__":
    main()
