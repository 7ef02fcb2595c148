"""`etl seed`: made-up items for the source table."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from etl.model.instants import format_instant
from etl_cli.aws.connection import Profile, Region, connected
from etl_cli.aws.deploy_line import is_local
from etl_cli.aws.deployed_schema import deployed_schema, require_specified
from etl_cli.items.seed import Mix, make_items, write_items
from etl_cli.terminal.console import out
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import plural
from etl_cli.terminal.paths import environment_line
from etl_cli.terminal.progress import counting
from etl_cli.terminal.time_options import parse_since
from etl_cli.terminal.typer_app import verb

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

_MOST = 10_000_000


@verb(examples=("etl seed", "etl seed --count 20000 --seed 7", "etl seed --late-percent 20 --invalid-percent 3"))
def seed(  # noqa: PLR0913 - each is an option
    *,
    count: Annotated[int, typer.Option(min=1, max=_MOST, help="Number of items.")] = 1000,
    number: Annotated[int, typer.Option("--seed", help="Seed of the random values; the ids stay the same.")] = 0,
    late_percent: Annotated[
        int, typer.Option(min=0, max=100, help="Share of items that are late: older by days than the others.")
    ] = 6,
    invalid_percent: Annotated[
        int,
        typer.Option(min=0, max=100, help="Share of items that are invalid: without a usable value or time."),
    ] = 1,
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="Number of days that the other items are spread over.")
    ] = 1,
    until: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            parser=parse_since,
            help="End of these days: 2026-11-01, 2026-11-01T02:00Z, or 2d (ago). Default: the last full hour.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Allow a table on AWS.")] = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Put made-up items into the source table: orders of a coffee shop, with all types that an attribute can have.

    The items fit a table with the specification's key and change time. For another table it ends with 1, and writes
    nothing.

    The same options make the same items. Items with the same ids are replaced. Some items are late, and some are
    invalid: refunds, prices as text, times as people write them, missing attributes.
    """
    if late_percent + invalid_percent > 100:
        raise typer.BadParameter("--late-percent and --invalid-percent must be 100 at most together.")
    mix = Mix(late_percent, invalid_percent, days)
    # On the hour, so that a second call soon after writes the same items.
    reference = until or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with connected(profile, region) as deployment:
        if not yes:
            require_local(deployment)
        require_specified(deployed_schema(deployment), deployment.source_table)
        with counting(f"Putting items into {deployment.source_table}", count) as progress:
            write_items(
                deployment.dynamodb, deployment.source_table, make_items(count, reference, number, mix), progress
            )
    print_seeded(deployment.source_table, count, reference, mix, EtlLines(profile, region))


def require_local(deployment: Deployment) -> None:
    """Refuse to write made-up items among real ones.

    Raises:
        UserError: the table isn't one of a local environment.
    """
    endpoint = deployment.dynamodb.meta.endpoint_url
    if not is_local(endpoint):
        raise UserError(
            f"{deployment.source_table} at {endpoint} isn't in the local environment. Made-up items would mix with "
            "your items, replace those with the same ids, and be loaded by the next run. Nothing was written.",
            f"For the local environment: {environment_line()}. If you are sure, add --yes.",
        )


def print_seeded(table: str, count: int, reference: datetime, mix: Mix, lines: EtlLines) -> None:
    """Print the numbers of items in a table that was filled, and the next commands."""
    kinds = Counter(map(mix.kind_of, range(count)))
    span = "the day" if mix.days == 1 else f"the {mix.days:,} days"
    out.print(
        f"{plural(count, 'item')} put into {table}: {kinds['recent']:,} of {span} before "
        f"{format_instant(reference.replace(microsecond=0))}, {kinds['late']:,} late, {kinds['invalid']:,} invalid.",
    )
    out.print(f"Preview them: {lines.line('preview')}; load them: {lines.line('run')}")
