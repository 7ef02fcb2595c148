"""The server process of a local environment: `python -m etl_cli.local.server TOKEN`.

Corrects ministack, guards it, and runs it until a signal ends it. The token tells the process from others; it is no
secret, since every user of the machine sees it.
"""

from __future__ import annotations

import os
import subprocess
import sys

from etl_cli.local.corrections.apply import apply_all
from etl_cli.local.corrections.upstream import CorrectionError
from etl_cli.local.credentials import AccessKey, give_functions_sessions
from etl_cli.local.guard import Guard

# Its input ends when the server does, however that ends: then it ends what is left of the server's process group.
_LAST_ONE = "import os, signal, sys; sys.stdin.read(); os.killpg(os.getpgrp(), signal.SIGKILL)"


def end_with_server() -> subprocess.Popen[bytes]:
    """Have the functions' processes end when this one does, killed included; the result must be kept.

    Linux can send a signal at a parent's end, but takes the thread that started the process for the parent: functions
    are started by threads that end.
    """
    return subprocess.Popen([sys.executable, "-ISc", _LAST_ONE], stdin=subprocess.PIPE)


def main() -> None:
    """Run the corrected server; GATEWAY_PORT and BIND_HOST say where it listens."""
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
    ministack.BANNER = "Starting on port {port}"  # 15 lines of it would be a server's last words
    ministack._port_is_bindable = lambda *_: False  # with HTTPS it would listen on port 443 too
    last_one = end_with_server() if os.getpgrp() == os.getpid() else None
    ministack.main()
    del last_one


if __name__ == "__main__":
    main()
