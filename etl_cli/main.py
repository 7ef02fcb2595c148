"""The `etl` command.

Exit codes: 0 done; 1 failed, the message says why; 2 wrong usage; 130 interrupted. `etl local status` has its own.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer

from etl_cli import demo, local
from etl_cli.console import err, print_error
from etl_cli.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Runs the ETL pipeline on this machine, without an AWS account, and looks after it.",
    epilog="Exit codes:  0 done  ·  1 failed, the message says why  ·  2 wrong usage  ·  130 interrupted",
)
app.command()(demo.demo)
app.add_typer(local.app, name="local")


def main() -> None:
    """Run the command; what a user can put right is reported as one message."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        app()
    except UserError as error:
        print_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    """End as after an error, so that nothing is left half-done."""
    sys.exit(128 + number)
