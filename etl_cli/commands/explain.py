"""`etl explain`: what became of one item, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.runs.ledger import read_ledger
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.progress import counting
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb


@verb(
    examples=("etl explain order-000042", "etl explain order-000042 --runs 30 --json"),
    exits={0: "explained", 1: "there is no trace of it, or an error"},
)
def explain(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The item's id.")],
    *,
    runs: Annotated[
        int,
        typer.Option(min=0, help="In what so many of the latest runs of its time have staged to search it."),
    ] = 5,
    as_json: AsJson = False,
    profile: Profile = None,
    region: Region = None,
    local_time: LocalTime = False,
) -> None:
    """Tell one item's way: source, the runs that read it, what the transformation made of it, destination.

    Or why it is in quarantine, or why no run has read it, and what to do. Reads what runs have staged from its
    beginning to its end, which takes a while for a large run; staged objects expire after 30 days.
    """
    from etl_cli.items.explanation import explain_item
    from etl_cli.items.verdict import judge
    from etl_cli.render.explain import explanation_document, print_explanation

    with connected(profile, region) as pipeline:
        now = datetime.now(UTC)
        ledger = read_ledger(pipeline.dynamodb, now)
        with counting("Searching what runs have staged") as progress:
            explanation = explain_item(pipeline, identity, ledger, now, runs, progress)
    verdict = judge(explanation, EtlLines(profile, region))
    if as_json:
        print_json(explanation_document(explanation, verdict))
    else:
        tables = (pipeline.source_table, pipeline.destination_table)
        print_explanation(out, explanation, verdict, tables, Times(local_time))
