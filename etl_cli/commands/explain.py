"""`etl explain`: the way of one item through the pipeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.aws.deployed_schema import deployed_schema
from etl_cli.runs.ledger import read_ledger
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.progress import counting
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb


@verb(
    examples=(
        "etl explain order-000042",
        "etl explain customer-17 2024-01-15",
        "etl explain pk=customer-17 sk=42 --runs 30 --json",
    ),
    exits={1: "there is no trace of the item, or an error"},
)
def explain(
    key: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY...",
            help="The item's key: ID, or PK SK or pk=PK sk=SK if the table has a sort key. Binary values are base64.",
        ),
    ],
    *,
    runs: Annotated[int, typer.Option(min=0, help="Number of recent runs to search.")] = 5,
    as_json: AsJson = False,
    profile: Profile = None,
    region: Region = None,
    local_time: LocalTime = False,
) -> None:
    """Follow one item: source table, runs that read it, its records, destination table.

    If the item isn't loaded, you see the reason and the next command: it may be in quarantine, or no run has read it.
    The search reads the staged objects of runs, which takes a while for a large run. They expire after 30 days.
    """
    from etl_cli.items.explanation import explain_item
    from etl_cli.items.explanation_verdict import judge
    from etl_cli.items.item_key import parse_key
    from etl_cli.render.explain import explanation_document, print_explanation

    with connected(profile, region) as deployment:
        now = datetime.now(UTC)
        schema = deployed_schema(deployment)
        item = parse_key(schema.source, key, deployment.source_table)
        ledger = read_ledger(deployment.dynamodb, deployment.names, now)
        with counting("Searching the staged objects of runs") as progress:
            explanation = explain_item(deployment, item, schema, ledger, now=now, most_runs=runs, on_progress=progress)
    verdict = judge(explanation, EtlLines(profile, region))
    if as_json:
        print_json(explanation_document(explanation, verdict))
    else:
        tables = (deployment.source_table, deployment.destination_table)
        print_explanation(out, explanation, verdict, tables, Times(local_time))
