"""The connection of a verb to the deployed pipeline, and the options that choose it: AWS or the local environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl_cli.aws.deploy_line import is_local
from etl_cli.aws.deployment import Deployment, MissingStackError
from etl_cli.aws.error_messages import is_denied
from etl_cli.aws.pipelines import UnknownPipelineError
from etl_cli.aws.place import Place, find_place
from etl_cli.aws.planned import planned_deployment
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
def connected(
    profile: str | None = None, region: str | None = None, *, context: Mapping[str, str] | None = None
) -> Iterator[Deployment]:
    """Connect to the deployed pipeline, and turn errors of AWS into messages.

    Args:
        profile: the option of that name.
        region: the option of that name.
        context: values of the CDK's context with which a pipeline of this checkout counts before it is deployed, or if
            you may not look for its stack; None if only a deployed one does.

    Raises:
        UserError: there is no such profile or pipeline, or AWS refused a request.
    """
    place = find_place(profile, region)
    try:
        yield _found(place, context)
    except MissingStackError as error:
        raise (error if is_local(place.endpoint) else with_local_hint(error)) from None
    except (BotoCoreError, ClientError) as error:
        raise place.explained(error) from None


def _found(place: Place, context: Mapping[str, str] | None) -> Deployment:
    chosen = chosen_pipeline()
    try:
        return Deployment.find(place.session, place.options, chosen)
    except (MissingStackError, UnknownPipelineError, ClientError) as error:
        if context is None or (isinstance(error, ClientError) and not is_denied(error)):
            raise
        planned = planned_deployment(place, context, chosen)
        if planned is None:
            raise
        return planned
