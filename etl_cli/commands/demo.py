"""`etl demo`: the whole pipeline on this machine, from an empty environment to a report."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl.model.names import SPECIFIED, Names
from etl.model.stages import BY_ACTION, GATE, STATES
from etl_cli.aws.deployed_schema import deployed_schema, require_specified
from etl_cli.aws.deployment import Deployment
from etl_cli.commands.run import run_name
from etl_cli.items.seed import make_items, write_items
from etl_cli.local.checkout import checkout_pipelines
from etl_cli.local.deployment_progress import DeploymentProgress
from etl_cli.local.environment import LocalEnvironment
from etl_cli.render.board import Board
from etl_cli.render.demo import next_commands, print_how_to_stop, print_next, print_unfit, unfit_commands
from etl_cli.render.live_run import console_of_progress, print_failed, show_execution
from etl_cli.render.report import print_report
from etl_cli.render.run_document import failure_document, report_document
from etl_cli.runs.failure import ExecutionError, Failure
from etl_cli.runs.history import Timeline
from etl_cli.summary.run_summary import RunSummary, summarize_followed
from etl_cli.summary.verify import Verified, verify
from etl_cli.terminal.console import err, print_error, print_json
from etl_cli.terminal.context_option import Context, parse_context
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from etl_cli.terminal.formats import plural
from etl_cli.terminal.paths import ROOT, command
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb

ENVIRONMENT, DEPLOYMENT, SOURCE, CHECK = "Local AWS", "Deployment", "Source table", "Check"
_LOOK_SECONDS = 0.2


@verb(examples=("etl demo", "etl demo --items 200 --json", "etl demo --strict"))
def demo(
    items: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Number of items to put into the source table.")
    ] = 5000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    context: Context = None,
    strict: Annotated[bool, typer.Option("--strict", help="Enforce IAM and bucket policies, over HTTPS.")] = False,
) -> None:
    """Run the whole pipeline on this machine: start, deploy, fill the source table, execute, report.

    The demo fills only tables with the specification's keys and change time; for others it ends with 1.

    The local environment stays up afterwards. The demo replaces items of the source table that have the same ids.
    If the demo's items don't fit your transformation, the demo says so and ends with 0.
    """
    demonstration = Demonstration(
        LocalEnvironment(ROOT), items, as_json=as_json, context=parse_context(context), strict=strict
    )
    try:
        code = demonstration.run()
    except (KeyboardInterrupt, SystemExit) as reason:
        with _undisturbed():
            err.print(f"interrupted: {demonstration.tidy_up()}")
        code = EXIT_INTERRUPTED if isinstance(reason, KeyboardInterrupt) else int(reason.code or 0)
    raise typer.Exit(code)


class Demonstration:
    """One demonstration. It tidies up after itself when it is interrupted."""

    def __init__(
        self,
        environment: LocalEnvironment,
        items: int,
        *,
        as_json: bool,
        context: Mapping[str, str] | None = None,
        strict: bool = False,
    ) -> None:
        """Prepare it, and start nothing."""
        self._environment, self._items, self._context, self._strict = environment, items, context or {}, strict
        self._as_json = as_json
        self._console = console_of_progress(as_json=as_json)
        self._started_here = self._deployed = False
        self._running: tuple[Deployment, str] | None = None
        self._lines = EtlLines()

    def run(self) -> int:
        """Run all steps, and return the exit code."""
        try:
            with Board(self._console, [ENVIRONMENT, DEPLOYMENT, SOURCE, *STATES, CHECK]) as board:
                outcome = self._run(board)
        except ExecutionError as error:
            self._running = None
            if _items_unfit(error.failure):
                self._print_unfit(error.failure)
                return 0
            self._print_failure(error.failure)
        except UserError as error:
            self._print_error(error)
        except (BotoCoreError, ClientError) as error:
            self._print_error(self._explained(error))
        else:
            self._print_report(*outcome)
            return 0
        return EXIT_FAILED

    def tidy_up(self) -> str:
        """Stop everything that is half started, and describe the remaining state."""
        stays = f"the local environment stays up ({command()} local stop)"
        if self._running:
            deployment, execution = self._running
            with contextlib.suppress(BotoCoreError, ClientError):
                deployment.stepfunctions.stop_execution(executionArn=execution, cause="etl demo was interrupted")
            return f"the execution was stopped; {stays}"
        if self._started_here and not self._deployed:
            self._environment.stop()
            return "the local environment is stopped again"
        if not self._environment.status().is_up:
            return "nothing was started"
        if not self._deployed:
            return f"cdk was ended, and the next deployment completes the stack; {stays}"
        return stays

    def _run(self, board: Board) -> tuple[Deployment, RunSummary, Verified]:
        self._start(board)
        deployment = self._deploy(board)
        self._fill(board, deployment)
        execution, timeline = self._execute(board, deployment)
        board.begin(CHECK, "comparing the run with the two tables")
        summary = summarize_followed(deployment, execution, timeline)
        verified = verify(deployment, summary)
        board.end(CHECK, "both tables agree with the run")
        return deployment, summary, verified

    def _start(self, board: Board) -> None:
        board.begin(ENVIRONMENT, "starting")
        self._started_here = not self._environment.status().is_up
        status = self._environment.start(strict=self._strict)
        board.end(ENVIRONMENT, f"{status.endpoint}, {'started' if self._started_here else 'up already'}")

    def _deploy(self, board: Board) -> Deployment:
        progress = DeploymentProgress(lambda detail, done: board.update(DEPLOYMENT, detail, done))
        (names,), context = checkout_pipelines(self._context, SPECIFIED)
        self._environment.deploy(context, on_line=progress.take)
        self._deployed = True
        clients = self._environment.clients()
        if sum(Names.of_stack(stack.name) is not None for stack in clients.stacks()) > 1:
            self._lines = self._lines.of(names.prefix)
        deployment = Deployment.find(clients.session, clients.options, names.prefix)
        board.end(DEPLOYMENT, f"{deployment.names.stack}, {progress.outcome}")
        return deployment

    def _fill(self, board: Board, deployment: Deployment) -> None:
        def show(written: int) -> None:
            board.update(SOURCE, f"{written:,} of {plural(self._items, 'item')}", written / self._items)

        require_specified(deployed_schema(deployment), deployment.source_table, destination=True)
        show(0)
        # On the hour, so that a second demo within the hour writes the same items.
        reference = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        write_items(deployment.dynamodb, deployment.source_table, make_items(self._items, reference), show)
        board.end(SOURCE, f"{plural(self._items, 'item')} put into {deployment.source_table}")

    def _execute(self, board: Board, deployment: Deployment) -> tuple[str, Timeline]:
        board.begin(STATES[0], "starting the execution")
        execution = deployment.start(run_name("demo"))
        self._running = deployment, execution
        timeline = show_execution(board, deployment, execution, Times(), _LOOK_SECONDS)
        self._running = None
        return execution, timeline

    def _explained(self, error: Exception) -> UserError:
        try:
            self._environment.variables()
        except UserError as ended:
            return ended
        return UserError(f"The local AWS refused a request: {error}", f"Its log: {self._environment.log}")

    def _print_report(self, deployment: Deployment, summary: RunSummary, verified: Verified) -> None:
        commands = next_commands(self._lines)
        if self._as_json:
            print_json(report_document(summary, verified) | {"commands": [each.line for each in commands]})
            return
        print_report(self._console, summary, (deployment.source_table, deployment.destination_table), verified)
        print_next(self._console, commands)

    def _print_unfit(self, failure: Failure) -> None:
        """Print that the demo's items don't fit the transformation in place, why, and what to do."""
        commands = unfit_commands(self._lines, failure.run)
        if self._as_json:
            print_json(failure_document(failure) | {"status": "unfit", "commands": [each.line for each in commands]})
        print_unfit(self._console, failure.message)
        print_next(self._console, commands)

    def _print_failure(self, failure: Failure) -> None:
        print_failed(self._console, failure, self._lines, as_json=self._as_json)
        print_how_to_stop(self._console)

    def _print_error(self, error: UserError) -> None:
        if self._as_json:
            print_json({"status": "error", "message": "\n".join([error.message, *error.lines]), "remedy": error.remedy})
        print_error(error)
        if self._environment.status().is_up:
            print_how_to_stop(self._console)


def _items_unfit(failure: Failure) -> bool:
    """Whether the gate stopped a working pipeline: too many items rejected, all dropped, or a sum too long."""
    return failure.stage == BY_ACTION[GATE].state and failure.error in ("QualityGateError", "TransformationError")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore further signals while tidying up."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
