"""The line for a shell that deploys a pipeline, on AWS or in the local environment."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from etl.model.names import ETL, SPECIFIED, Names
from etl_cli.terminal.paths import command
from etl_cli.terminal.printable import shell_words


def deploy_line(endpoint: str, names: Names = ETL, settings: Sequence[str] = ()) -> str:
    """The line that deploys a pipeline's stack, with settings such as ``lookback_hours=48``."""
    context = context_words(names, settings)
    if is_local(endpoint):  # where the CDK CLI needs variables and a bootstrapped account
        chosen = ["--pipeline", names.pipeline] if names.pipeline != SPECIFIED else []
        return f"{command()} {shell_words(*chosen, 'local', 'deploy', *context)}"
    return shell_words("cdk", "deploy", names.stack_id, *context)


def context_words(names: Names, settings: Sequence[str] = ()) -> list[str]:
    """The options of the CDK CLI that choose the stage, and set a pipeline's settings."""
    stage = [f"{SPECIFIED}:stage={names.stage}"] if names.stage else []
    values = [*stage, *(f"{names.pipeline}:{setting}" for setting in settings)]
    return [word for value in values for word in ("-c", value)]


def is_local(endpoint: str) -> bool:
    """Whether an endpoint is on this machine: a local environment's."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
