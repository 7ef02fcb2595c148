"""What the `etl` command offers."""

from __future__ import annotations

import typer

from etl_cli import local
from etl_cli.backfill import command as backfill
from etl_cli.demo import command as demo
from etl_cli.doctor import command as doctor
from etl_cli.explain import command as explain
from etl_cli.following import run, watch
from etl_cli.page import command as report
from etl_cli.past import gaps, logs, runs, show
from etl_cli.plan import command as plan
from etl_cli.preview import command as preview
from etl_cli.quarantine import command as quarantine
from etl_cli.seed import command as seed

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Runs the ETL pipeline and looks after it: on AWS, or on this machine without an account.",
    epilog="Exit codes:  0 done  ·  1 failed, the message says why  ·  2 wrong usage  ·  74 the output can't be "
    "written, as on a full disk  ·  130 interrupted  ·  141 the reader of the output has gone, as head does",
)
app.command(epilog="Examples:  etl demo  ·  etl demo --items 200 --json  ·  etl demo --strict")(demo.demo)
app.command(
    epilog="Exit codes:  0 no problem, warnings at most  ·  1 a problem\n\n"
    "Examples:  etl doctor  ·  etl doctor --json  ·  etl doctor --profile night --late-hours 50"
)(doctor.doctor)
app.command(epilog=plan.EPILOG)(plan.plan)
app.command(
    epilog="Exit codes:  0 the run succeeded, or was started with --no-follow  ·  1 it failed  ·  130 interrupted, it "
    "goes on\n\n"
    "Examples:  etl run  ·  etl run --start 2026-11-01 --end 2026-11-02  ·  etl run --lookback 48 --no-follow"
)(run.run)
app.command(
    epilog="Exit codes:  0 the run succeeded  ·  1 it failed  ·  130 interrupted, it goes on\n\n"
    "Examples:  etl watch  ·  etl watch 20261124T020000123Z  ·  etl watch run-20261124T020000Z-3f9a --json"
)(watch.watch)
app.command(epilog=backfill.EPILOG)(backfill.backfill)
app.command(epilog="Examples:  etl runs  ·  etl runs --status failed --since 7d  ·  etl runs --limit 100 --json")(
    runs.runs
)
app.command(
    epilog="Exit codes:  0 shown, however the run ended  ·  1 there is no such run, or an error\n\n"
    "Examples:  etl show  ·  etl show 20261124T020000123Z  ·  etl show night-3 --json"
)(show.show)
app.command(epilog=report.EPILOG)(report.report)
app.command(
    epilog="Exit codes:  0 no gaps  ·  1 gaps, or an error\n\n"
    "Examples:  etl gaps  ·  etl gaps --json  ·  etl gaps --since 2026-11-01"
)(gaps.gaps)
app.command(
    epilog="Exit codes:  0 shown  ·  1 an error  ·  130 interrupted, as --follow is\n\n"
    "Examples:  etl logs  ·  etl logs load --since 1d  ·  etl logs --run latest  ·  etl logs --follow"
)(logs.logs)
app.add_typer(quarantine.app, name="quarantine")
app.command(epilog=explain.EPILOG)(explain.explain)
app.command(epilog=preview.EPILOG)(preview.preview)
app.command(epilog=seed.EPILOG)(seed.seed)
app.add_typer(local.app, name="local")
