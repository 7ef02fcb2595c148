"""The verbs of the `etl` command, grouped by their purpose."""

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
    new,
    pipelines,
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
from etl_cli.terminal.chosen_pipeline import VARIABLE, choose
from etl_cli.terminal.console import out
from etl_cli.terminal.paths import ROOT
from etl_cli.terminal.typer_app import EXITS, Commands

app = Commands("Run the ETL pipeline and look after it: on AWS, or on this machine without an account.", EXITS)
app.add(run.run, watch.watch, backfill.backfill, plan.plan, panel="Run")
app.add(
    pipelines.pipelines,
    runs.runs,
    show.show,
    report.report,
    logs.logs,
    explain.explain,
    settings.settings,
    panel="Look",
)
app.add(doctor.doctor, gaps.gaps, panel="Repair")
app.add_typer(quarantine.app, name="quarantine", rich_help_panel="Repair")
app.add(new.new, preview.preview, seed.seed, panel="Develop")
app.add(demo.demo, panel="This machine")
app.add_typer(local.app, name="local", rich_help_panel="This machine")


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
    context: typer.Context,
    *,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar=VARIABLE,
            help="The pipeline: the beginning of its names, such as orders, or orders-dev with a stage. Default: the "
            "only one.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the versions and exit.")
    ] = False,
) -> None:
    """Options of the command itself."""
    del version  # its callback has ended the command
    choose(pipeline)
    context.call_on_close(lambda: choose(None))
