"""Where a command looks: at what the shell's AWS variables point at, or at a profile and a region of its options.

So the same commands serve the local environment (``eval "$(etl local env)"``) and AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl_cli.deployment import Pipeline
from etl_cli.errors import UserError

Profile = Annotated[
    str | None, typer.Option(metavar="NAME", help="Profile of the AWS CLI; the shell's AWS variables if left out.")
]
Region = Annotated[str | None, typer.Option(metavar="NAME", help="Region of AWS; the profile's if left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LocalTime = Annotated[bool, typer.Option("--local-time", help="Print times in this machine's time zone.")]


@contextmanager
def connected(profile: str | None = None, region: str | None = None) -> Iterator[Pipeline]:
    """The deployed pipeline; what AWS refuses meanwhile becomes a message.

    Raises:
        UserError: there is no such profile or stack, or AWS refused a request.
    """
    import boto3

    try:
        yield Pipeline.find(boto3.Session(profile_name=profile, region_name=region))
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            f"AWS can't be asked: {error}",
            "Look at the shell's AWS_ variables, or at your AWS CLI's settings.",
        ) from None
