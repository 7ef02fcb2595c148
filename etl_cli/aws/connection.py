"""The deployed pipeline where a command looks, and the options that say where.

So the same commands serve the local environment and AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl_cli.aws.deployment import MissingStackError, Pipeline, is_local
from etl_cli.aws.place import find_place
from etl_cli.aws.shell_settings import or_local

Profile = Annotated[
    str | None, typer.Option(metavar="NAME", help="Profile of the AWS CLI; the shell's AWS variables if left out.")
]
Region = Annotated[
    str | None, typer.Option(metavar="NAME", help="Region of AWS; that of AWS_REGION, or the profile's, if left out.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LocalTime = Annotated[bool, typer.Option("--local-time", help="Print times in this machine's time zone.")]


@contextmanager
def connected(profile: str | None = None, region: str | None = None) -> Iterator[Pipeline]:
    """The deployed pipeline; what AWS refuses meanwhile becomes a message.

    Raises:
        UserError: there is no such profile or stack, or AWS refused a request.
    """
    place = find_place(profile, region)
    try:
        yield Pipeline.find(place.session, place.options)
    except MissingStackError as error:
        raise (error if is_local(place.endpoint) else or_local(error)) from None
    except (BotoCoreError, ClientError) as error:
        raise place.explained(error) from None
