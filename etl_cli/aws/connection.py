"""The connection of a verb to the deployed pipeline, and the options that choose it: AWS or the local environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl_cli.aws.deploy_line import is_local
from etl_cli.aws.deployment import Deployment, MissingStackError
from etl_cli.aws.place import find_place
from etl_cli.aws.shell_settings import with_local_hint
from etl_cli.terminal.chosen_pipeline import chosen_pipeline

Profile = Annotated[
    str | None, typer.Option(metavar="NAME", help="Profile of the AWS CLI, instead of the shell's AWS variables.")
]
Region = Annotated[
    str | None, typer.Option(metavar="NAME", help="Region of AWS, instead of AWS_REGION or the profile's.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
LocalTime = Annotated[
    bool, typer.Option("--local-time", help="Print times in this machine's time zone, instead of UTC.")
]

RunName = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, its execution's name or ARN, or latest.")]


@contextmanager
def connected(profile: str | None = None, region: str | None = None) -> Iterator[Deployment]:
    """Connect to the deployed pipeline, and turn errors of AWS into messages.

    Raises:
        UserError: there is no such profile or pipeline, or AWS refused a request.
    """
    place = find_place(profile, region)
    try:
        yield Deployment.find(place.session, place.options, chosen_pipeline())
    except MissingStackError as error:
        raise (error if is_local(place.endpoint) else with_local_hint(error)) from None
    except (BotoCoreError, ClientError) as error:
        raise place.explained(error) from None
