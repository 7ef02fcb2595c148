"""A backfill at the terminal: its progress, what it came to, and how to go on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from etl_cli.aws.refusals import explained_midway
from etl_cli.commands.follow import LOOK_SECONDS
from etl_cli.render.backfill import BackfillBoard, added_up, loaded, window_names
from etl_cli.render.backfill_document import work_document
from etl_cli.render.board import Board
from etl_cli.render.failure import print_advice, print_failure
from etl_cli.runs.history import execution_name
from etl_cli.summary.backfill import BackfillWork
from etl_cli.summary.backfill_windows import Planned
from etl_cli.terminal.console import Terminal, Text, err, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.words import count


class BackfillSession:
    """One call of `etl backfill`, from the first window to what it came to."""

    def __init__(  # noqa: PLR0913 - each has its name at the call
        self,
        console: Terminal,
        work: BackfillWork,
        *,
        span: Span,
        planned: Sequence[Planned],
        times: Times,
        lines: EtlLines,
        again: str,
    ) -> None:
        """Prepare it; nothing is started.

        Args:
            console: where to show progress.
            work: the backfill.
            span: all of its time.
            planned: its windows.
            times: how to print instants.
            lines: makes the lines that watch a run.
            again: the line that goes on with it.
        """
        self._console, self._work, self._span, self._planned = console, work, span, planned
        self._times, self._lines, self._again = times, lines, again

    def run(self, *, as_json: bool = False) -> int:
        """Do it, and return the exit code.

        Raises:
            UserError: AWS can't be asked any more.
        """
        try:
            if self._work.left:
                self._follow()
        except (KeyboardInterrupt, SystemExit) as reason:
            for line in (f"interrupted: {self._standing()}", *self._how_to_go_on()):
                err.print(line)
            code = int(reason.code or 0) if isinstance(reason, SystemExit) else EXIT_INTERRUPTED
        except (BotoCoreError, ClientError) as error:
            raise explained_midway(error, self._work.endpoint, self._standing(), self._how_to_go_on()) from None
        else:
            code = EXIT_FAILED if self._work.failed else 0
            (self._print_failures if code else self._print_success)()
        if as_json:
            document = work_document(self._span, self._planned, self._work)
            print_json(document | {"again": self._again if self._work.unfinished else None})
        return code

    def _follow(self) -> None:
        names = window_names(self._planned, self._times)
        with Board(self._console, [], name_width=max(map(len, names.values())), owns=False) as board:
            view = BackfillBoard(board, self._work, names, self._times)
            view.sum_up()
            while not self._work.over:
                for window, snapshot in self._work.advance():
                    view.show(window, snapshot)
                    view.sum_up()
                if not self._work.over:
                    time.sleep(LOOK_SECONDS)
            view.sum_up(ended=True)

    def _print_success(self) -> None:
        work, total = self._work, len(self._planned)
        before = (each.last.counts for each in work.before if each.last)
        counts = added_up([*(each.counts for each in work.ended), *before])
        what = f"All {count(total, 'window')} are done" if total > 1 else "The window is done"
        already = f", {len(work.before):,} of them before" if work.ended else " already"
        self._console.print()
        self._console.print(
            Text(f"  ✔ {what}{already if work.before else ''}: {loaded(counts)}", "bold green"), soft_wrap=True
        )
        if not work.ended:
            self._console.print("  To run them again: --redo")

    def _print_failures(self) -> None:
        first = self._work.failed[0]
        self._console.print()
        self._console.print(f"  {self._times.window(*first.window)}", soft_wrap=True)
        if first.failure:
            print_failure(self._console, first.failure)
            print_advice(self._console, first.failure, self._lines)
        self._console.print()
        self._console.print(f"  {self._standing()}", soft_wrap=True)
        self._console.print("  Go on, once the cause is mended:", soft_wrap=True)
        self._console.print(f"  {self._again}", soft_wrap=True)

    def _standing(self) -> str:
        work = self._work
        failed = len(work.failed)
        parts = [f"{len(work.before) + len(work.ended) - failed:,} of {count(len(self._planned), 'window')} done"]
        parts += [f"{failed:,} failed"] if failed else []
        parts += [f"{len(work.running):,} still running"] if work.running else []
        return ", ".join([*parts, f"{len(work.left):,} left"]) + "."

    def _how_to_go_on(self) -> list[str]:
        lines = []
        if self._work.running:
            lines.append("What runs goes on. Watch it:")
            names = map(execution_name, self._work.running.values())
            lines += [f"  {self._lines.line('watch', name)}" for name in names]
        return [*lines, "Go on with the backfill:", f"  {self._again}"]
