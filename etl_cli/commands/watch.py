"""`etl watch`: shows the progress of any run, and prints its report."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.render.live_run import console_of_progress, follow_to_end
from etl_cli.runs.history import execution_name
from etl_cli.runs.ledger import read_run
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.paths import command
from etl_cli.terminal.printable import shell_words
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment


@verb(
    examples=("etl watch", "etl watch 20261124T020000123Z", "etl watch run-20261124T020000Z-3f9a --json"),
    exits={130: "interrupted; the run goes on"},
)
def watch(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="The run's id, its execution's name or ARN. Default: the latest running one, or else the latest.",
        ),
    ] = "",
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show the progress of a run, and print its report. It also shows a run that has ended.

    Ctrl-C ends the command, not the run.
    """
    with connected(profile, region) as deployment:
        execution = find_execution(deployment, run)
        console = console_of_progress(as_json=as_json)
        console.print(f"  Execution  {execution_name(execution)}", soft_wrap=True)
        console.print()
        follow_to_end(deployment, execution, EtlLines(profile, region), Times(local_time), as_json=as_json)


def find_execution(deployment: Deployment, name: str) -> str:
    """Find an execution's ARN by its run's id, its name or its ARN; without any, the latest running, or the latest.

    Raises:
        UserError: there is none, or Step Functions has forgotten it.
    """
    if not name:
        return _latest(deployment)
    try:
        execution = read_run(deployment.dynamodb, deployment.names, name, datetime.now(UTC)).execution
    except UserError:
        # The ledger has an entry only once Plan has fixed the run.
        execution = name if name.startswith("arn:") else deployment.execution(name)
        if not _is_known(deployment, execution):
            raise
        return execution
    if not _is_known(deployment, execution):
        raise UserError(
            f"Step Functions has forgotten the execution {execution_name(execution)}: it keeps them for 90 days.",
            f"See its entry in the ledger: {command()} show {shell_words(name)}",
        )
    return execution


def _latest(deployment: Deployment) -> str:
    listed = partial(deployment.stepfunctions.list_executions, stateMachineArn=deployment.state_machine, maxResults=1)
    if latest := listed(statusFilter="RUNNING")["executions"] or listed()["executions"]:
        return latest[0]["executionArn"]
    raise UserError("There is no run yet.", f"Start one: {command()} run")


def _is_known(deployment: Deployment, execution: str) -> bool:
    stepfunctions = deployment.stepfunctions
    try:
        found = stepfunctions.describe_execution(executionArn=execution)
    except (stepfunctions.exceptions.ExecutionDoesNotExist, stepfunctions.exceptions.InvalidArn):
        return False
    return found["stateMachineArn"] == deployment.state_machine
