"""The entry of the `etl` command. Its exit codes are those of `etl_cli.terminal.typer_app`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from etl_cli.terminal.exit_codes import EXIT_INTERRUPTED


def main() -> None:
    """Run the command, and report errors that you can correct as one message."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        # During the imports there is nothing to tidy up, and an interrupt would print a traceback.
        signal.signal(signal.SIGINT, _exit_at_once)
    from etl_cli.terminal.output import close_streams, open_streams

    open_streams()
    from etl_cli.app import app

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            signal.signal(number, _exit_on_signal)
    try:
        _run(app)
    finally:
        close_streams()  # the exit code of a failed output replaces the verb's


def _run(app: Callable[[], None]) -> None:
    from etl_cli.terminal.console import err, print_error
    from etl_cli.terminal.errors import UserError

    try:
        app()
    except UserError as error:
        print_error(error)
        sys.exit(1)
    except OSError as error:
        if not isinstance(error.filename, str):
            raise
        print_error(UserError(f"{error.filename} can't be used: {error.strerror}."))
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(EXIT_INTERRUPTED)


def _exit_at_once(_number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(EXIT_INTERRUPTED)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    """End as after an error, and tidy up."""
    sys.exit(128 + number)
