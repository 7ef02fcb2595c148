"""The option --context: CDK context values for a deployment."""

from __future__ import annotations

from typing import Annotated

import typer

from etl_cli.terminal.errors import UserError

Context = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        "-c",
        metavar="KEY=VALUE",
        help="A value of the CDK's context, as for cdk deploy. Repeat the option for more values.",
    ),
]


def parse_context(items: list[str] | None) -> dict[str, str]:
    """The values by key.

    Raises:
        UserError: one isn't KEY=VALUE.
    """
    pairs = [item.partition("=") for item in items or ()]
    for key, equals, value in pairs:
        if not key or not equals:
            raise UserError(
                f"--context takes KEY=VALUE, got {key + equals + value!r}.", "Example: --context etl:lookback_hours=48"
            )
    return {key: value for key, _, value in pairs}
