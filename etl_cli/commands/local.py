"""`etl local`: start, use, reset and stop the local environment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from etl.model.names import Names
from etl_cli.local.checkout import checkout_pipelines
from etl_cli.local.environment import LocalEnvironment, Status
from etl_cli.local.variables import is_shell_name, restored_variables, saved_variables, unset_variables
from etl_cli.terminal.chosen_pipeline import chosen_pipeline
from etl_cli.terminal.console import Text, err, out, print_json, print_table
from etl_cli.terminal.context_option import Context, parse_context
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT, command, environment_line
from etl_cli.terminal.printable import shell_words
from etl_cli.terminal.progress import progress
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import Commands, verb

EXIT_DOWN = 3
EXIT_DIED = 4

app = Commands(
    help="The local environment: an emulated AWS on 127.0.0.1. The real CDK CLI deploys into it.\n\n"
    "Its files are in .etl-local of the checkout, or in the folder that ETL_LOCAL_DIR names. Each folder is a separate "
    "environment. Stopping an environment deletes its data.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@verb(examples=("etl local start", "etl local start --port 4566", "etl local start --strict"))
def start(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of 127.0.0.1. Default: a free port.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Enforce IAM and bucket policies, over HTTPS.")] = False,
) -> None:
    """Start the local environment, unless it is up."""
    environment = _environment()
    was_up = environment.status().is_up
    status = environment.start(port, strict=strict)
    out.print(f"The local environment {'was already up' if was_up else 'is up'}: {status.endpoint}")
    _print_next()


@verb(examples=("etl local stop",))
def stop() -> None:
    """Stop the local environment. This deletes its tables, objects and stacks."""
    if _environment().stop():
        out.print("The local environment is stopped.")
    else:
        out.print("The local environment wasn't up.")


@verb(examples=("etl local reset",))
def reset() -> None:
    """Delete all data and stacks, and start again on the same port."""
    status = _environment().reset()
    out.print(f"The local environment is up and empty: {status.endpoint}")
    _print_next()


@verb(
    examples=("etl local status", "etl local status --json"),
    exits={0: "up", EXIT_DOWN: "down", EXIT_DIED: "ended without being stopped, or doesn't answer"},
)
def status(as_json: Json = False) -> None:
    """Show whether the local environment is up, its address, its start and its stacks."""
    found = _environment().status(stacks=True)
    if as_json:
        print_json(_as_dict(found))
    else:
        _print_status(found)
    if not found.is_up:
        raise typer.Exit(EXIT_DOWN if found.state == "down" else EXIT_DIED)


@verb(examples=('eval "$(etl local env)"', 'eval "$(etl local env --unset)"', "etl local env --json"))
def env(
    as_json: Json = False,
    unset: Annotated[
        bool, typer.Option("--unset", help="Print the commands that restore the shell's own settings.")
    ] = False,
) -> None:
    """Print shell commands that point aws, cdk and every AWS SDK at the local environment.

    The shell keeps its former AWS variables, PATH and proxy settings, and --unset restores them.
    """
    if unset:
        if as_json:
            raise typer.BadParameter("--unset prints lines for a shell: leave --json out.", param_hint="--unset")
        _print_way_back()
        return
    variables = _variables(for_shell=not as_json)
    if as_json:
        print_json(variables)
        return
    for name, kept in saved_variables().items():
        out.print(f'export {kept}="${name}"')
    for name in filter(is_shell_name, unset_variables(variables)):
        out.print(f"unset {name}")
    for name, value in variables.items():
        out.print(f"export {name}={shell_words(value)}")


def _variables(*, for_shell: bool) -> dict[str, str]:
    """Return the environment's variables. Without an environment, print a line that fails in an eval."""
    try:
        return _environment().variables()
    except UserError:
        if for_shell:  # an eval of nothing succeeds, and a script would continue with AWS
            out.print("false")
        raise


@verb(
    examples=(
        "etl local deploy",
        "etl local deploy --context etl:lookback_hours=48",
        "etl --pipeline orders-dev local deploy",
    )
)
def deploy(context: Context = None) -> None:
    """Deploy the pipelines of this checkout into the local environment, with the real CDK CLI; with --pipeline one."""
    pipelines, values = checkout_pipelines(parse_context(context), chosen_pipeline())
    environment = _environment()
    environment.variables()  # fails at once if it isn't up
    began = time.monotonic()
    with progress(f"Deploying {_stacks(pipelines)}") as show:
        outputs = environment.deploy_all(pipelines, values, on_line=show)
    for stack, each in outputs.items():
        out.print(f"{stack} is deployed ({time.monotonic() - began:.0f} s). Its outputs:")
        print_table(each)


@verb(examples=("etl local destroy", "etl --pipeline orders-dev local destroy"))
def destroy(context: Context = None) -> None:
    """Remove the pipelines of this checkout and their data from the local environment; with --pipeline one.

    The real CDK CLI does it. The tables, stages and pipelines that you leave out stay.
    """
    pipelines, values = checkout_pipelines(parse_context(context), chosen_pipeline())
    environment = _environment()
    environment.variables()
    with progress(f"Destroying {_stacks(pipelines)}") as show:
        environment.destroy(values, show, pipelines)
    out.print(f"{_stacks(pipelines)} {'is' if len(pipelines) == 1 else 'are'} destroyed.")


def _stacks(pipelines: Sequence[Names]) -> str:
    return ", ".join(names.stack for names in pipelines)


def _print_way_back() -> None:
    restored = restored_variables()
    if not restored:
        err.print(f"This shell doesn't use a local environment by {environment_line()}.")
    for name, kept in restored.items():
        out.print(f'export {name}="${kept}"; unset {kept}' if kept else f"unset {name}")


def _environment() -> LocalEnvironment:
    return LocalEnvironment(ROOT)


def _as_dict(status: Status) -> dict[str, object]:
    return {
        **vars(status),
        "state_dir": str(status.state_dir),
        "stacks": [vars(stack) for stack in status.stacks],
    }


def _print_status(status: Status) -> None:
    style = {"up": "green", "down": "yellow"}.get(status.state, "red")
    out.print(Text.assemble("The local environment ", (status.words, style), "."))
    print_table(
        {
            "endpoint": status.endpoint,
            "process": status.pid,
            "started": Times().instant(datetime.fromisoformat(status.started_at)) if status.started_at else None,
            "mode": "strict: IAM and bucket policies are enforced" if status.strict else None,
            "stacks": ", ".join(f"{stack.name} ({stack.status})" for stack in status.stacks) or None,
            "files": status.state_dir,
        }
    )
    if status.state == "down":
        out.print(f"Start it: {command()} local start")
    elif status.state == "died":
        err.print(f"Its last lines are in {status.state_dir / 'server.log'}")
        err.print(f"Start it again: {command()} local start")
    elif status.state == "unresponsive":
        err.print(f"Start it again: {command()} local reset")


def _print_next() -> None:
    print_table(
        {
            "deploy the stack": f"{command()} local deploy",
            "use it from this shell": environment_line(),
            "stop it": f"{command()} local stop",
        }
    )


app.add(start, stop, reset, status, env, deploy, destroy)
