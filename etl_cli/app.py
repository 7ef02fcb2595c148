"""What the `etl` command offers."""

from __future__ import annotations

from typing import Annotated

import typer

from etl_cli.commands import (
    backfill,
    demo,
    doctor,
    explain,
    gaps,
    local,
    logs,
    plan,
    preview,
    quarantine,
    report,
    run,
    runs,
    seed,
    settings,
    show,
    watch,
)
from etl_cli.terminal.console import out
from etl_cli.terminal.paths import ROOT
from etl_cli.terminal.typer_app import Commands

app = Commands(
    help="Runs the ETL pipeline and looks after it: on AWS, or on this machine without an account.", add_completion=True
)
app.command(
    exits={0: "the run succeeded", 1: "it failed, or another error"},
    epilog="Examples:  etl demo  ·  etl demo --items 200 --json  ·  etl demo --strict",
)(demo.demo)
app.command(
    exits={0: "no problem, warnings at most", 1: "a problem"},
    epilog="Examples:  etl doctor  ·  etl doctor --json  ·  etl doctor --profile night --late-hours 50",
)(doctor.doctor)
app.command(exits=plan.EXITS, epilog=plan.EPILOG)(plan.plan)
app.command(
    exits={
        0: "the run succeeded, or was started with --no-follow",
        1: "it failed, or another error",
        130: "interrupted, it goes on",
    },
    epilog="Examples:  etl run  ·  etl run --start 2026-11-01 --end 2026-11-02  ·  etl run --lookback 48 --no-follow",
)(run.run)
app.command(
    exits={0: "the run succeeded", 1: "it failed, or another error", 130: "interrupted, it goes on"},
    epilog="Examples:  etl watch  ·  etl watch 20261124T020000123Z  ·  etl watch run-20261124T020000Z-3f9a --json",
)(watch.watch)
app.command(exits=backfill.EXITS, epilog=backfill.EPILOG)(backfill.backfill)
app.command(epilog="Examples:  etl runs  ·  etl runs --status failed --since 7d  ·  etl runs --limit 100 --json")(
    runs.runs
)
app.command(
    exits={0: "shown, however the run ended", 1: "there is no such run, or an error"},
    epilog="Examples:  etl show  ·  etl show 20261124T020000123Z  ·  etl show night-3 --json",
)(show.show)
app.command(exits=report.EXITS, epilog=report.EPILOG)(report.report)
app.command(
    exits={0: "no gaps", 1: "gaps, or an error"},
    epilog="Examples:  etl gaps  ·  etl gaps --json  ·  etl gaps --since 2026-11-01",
)(gaps.gaps)
app.command(
    exits={0: "shown", 130: "interrupted, as --follow is"},
    epilog="Examples:  etl logs  ·  etl logs load --since 1d  ·  etl logs --run latest  ·  etl logs --follow",
)(logs.logs)
app.add_typer(quarantine.app, name="quarantine")
app.command(exits=explain.EXITS, epilog=explain.EPILOG)(explain.explain)
app.command(exits=preview.EXITS, epilog=preview.EPILOG)(preview.preview)
app.command(epilog=settings.EPILOG)(settings.settings)
app.command(epilog=seed.EPILOG)(seed.seed)
app.add_typer(local.app, name="local")


def _print_version(asked: bool) -> None:
    if not asked:
        return
    import json
    import platform
    from importlib.metadata import version

    cdk = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    out.print(f"etl {version('etl-pipeline')} (Python {platform.python_version()}, CDK CLI {cdk})")
    raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the versions, and exit.")
    ] = False,
) -> None:
    """Options of the command itself."""
