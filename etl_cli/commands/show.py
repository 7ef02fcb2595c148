"""`etl show`: one run, from its window to its cost."""

from __future__ import annotations

from datetime import UTC, datetime

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, RunName, connected
from etl_cli.render.run_document import show_document
from etl_cli.render.show import print_run
from etl_cli.runs.ledger import find_run, read_ledger
from etl_cli.summary.run_summary import account_of, summarize
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb


@verb(
    examples=("etl show", "etl show 20261124T020000123Z", "etl show night-3 --json"),
    exits={0: "shown, even if the run failed"},
)
def show(
    run: RunName = "latest",
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show one run: window, balance, durations, capacity and cost. If it failed, show the reason and the remedy.

    The ledger keeps a run without limit. Durations of the stages come from the execution's history, which Step
    Functions keeps for 90 days.
    """
    with connected(profile, region) as deployment:
        entries, watermark = read_ledger(deployment.dynamodb, deployment.names, datetime.now(UTC))
        summary = summarize(deployment, find_run(entries, run))
        account = account_of(deployment, summary, entries, watermark)
    if as_json:
        print_json(show_document(summary, account))
    else:
        tables = (deployment.source_table, deployment.destination_table)
        print_run(out, summary, account, tables, Times(local_time), EtlLines(profile, region))
