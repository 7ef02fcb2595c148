"""`etl logs`: the functions' logs, merged in the order of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from etl.model.names import Names
from etl.model.stages import FUNCTIONS
from etl_cli.aws.connection import LocalTime, Profile, Region, connected
from etl_cli.aws.deploy_line import deploy_line
from etl_cli.render.log_view import LogView, joined
from etl_cli.runs.ledger import LedgerEntry, read_run
from etl_cli.runs.log_lines import LogLine
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.time_options import since_option
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb

_DEFAULT_SINCE = timedelta(hours=2)
# The clocks of functions and ledger differ, and Lambda writes lines after a run's end.
_MARGIN = timedelta(minutes=2)
_POLL_SECONDS = 2.0
# Lines may appear out of order.
_OVERLAP = timedelta(seconds=30)


class Function(StrEnum):
    """The functions, as you type them."""

    vars().update({function: function for function in FUNCTIONS})


@verb(examples=("etl logs", "etl logs load --since 1d", "etl logs --run latest", "etl logs --follow"))
def logs(  # noqa: PLR0913 - each is an option
    function: Annotated[
        Function | None,
        typer.Argument(help="Show only this function's log. Default: all."),
    ] = None,
    *,
    run: Annotated[
        str, typer.Option(metavar="RUN", help="Show only this run: its id, its execution's name or ARN, or latest.")
    ] = "",
    since: Annotated[datetime | None, since_option("Show lines")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document for each line.")] = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show the functions' logs in the order of time: the last two hours, or one run.

    Each line shows the end of an invocation: stage, segment, counts and duration, or a failure with its traceback.
    Plan is in the log of extract, Gate in the log of transform, Finish in the log of load.
    """
    with connected(profile, region) as deployment:
        now = datetime.now(UTC)
        entry = read_run(deployment.dynamodb, deployment.names, run, now) if run else None
        start = since or (entry.started - _MARGIN if entry and entry.started else now - _DEFAULT_SINCE)
        end = entry.finished + _MARGIN if entry and entry.finished else None
        functions = [function] if function else list(Function)
        reader = LogReader(deployment.client("logs"), deployment.names, functions, start, end)
        show = _printer(entry, Times(local_time), as_json=as_json)
        shown = show(reader.new_lines())
        while follow:
            time.sleep(_POLL_SECONDS)
            shown += show(reader.new_lines())
    if not shown and not as_json:
        out.print(f"No lines since {Times(local_time).instant(start)}.")


class LogReader:
    """Reads the new lines in the logs of functions, between two times."""

    def __init__(
        self, client: Any, names: Names, functions: Sequence[Function], start: datetime, end: datetime | None = None
    ) -> None:
        self._client, self._names = client, names
        self._functions = functions
        self._start, self._end = start, end
        self._seen: dict[tuple[str, ...], datetime] = {}

    def new_lines(self) -> list[LogLine]:
        """The lines since the last call, in the order of time.

        Raises:
            UserError: there is no log of a function.
        """
        found = sorted((line for function in self._functions for line in self._read(function)), key=lambda x: x.at)
        if found:
            self._start = max(self._start, found[-1].at - _OVERLAP)
        self._seen = {key: at for key, at in self._seen.items() if at >= self._start}
        return found

    def _read(self, function: Function) -> Iterator[LogLine]:
        group = self._names.log_group(function.value)
        period = {"startTime": _milliseconds(self._start)} | (
            {"endTime": _milliseconds(self._end)} if self._end else {}
        )
        pages = self._client.get_paginator("filter_log_events").paginate(logGroupName=group, **period)
        try:
            for page in pages:
                for event in page["events"]:
                    # The local environment gives events no id.
                    key = (event.get("eventId", ""), event["logStreamName"], str(event["timestamp"]), event["message"])
                    if key not in self._seen:
                        self._seen[key] = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                        yield LogLine.of(function, event)
        except self._client.exceptions.ResourceNotFoundException:
            raise UserError(
                f"There is no log group {group}.",
                f"Deploy the stack again: {deploy_line(self._client.meta.endpoint_url, self._names)}",
            ) from None


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _printer(entry: LedgerEntry | None, times: Times, *, as_json: bool) -> Callable[[Iterable[LogLine]], int]:
    """A function that prints lines, of one run or of all, and returns their number."""
    view = LogView(times, entry.label if entry else "")

    def show(lines: Iterable[LogLine]) -> int:
        if entry:
            lines = [line for line in lines if line.belongs_to(entry.run, entry.name)]
        if as_json:
            documents = [line.document() for line in lines]
            for document in documents:
                print_json(document, indent=None)
            return len(documents)
        texts = [text for line in joined(lines) if not line.is_routine for text in view.show(line)]
        for text in texts:
            out.print(text)
        return len(texts)

    return show
