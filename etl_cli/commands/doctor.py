"""`etl doctor`: whether the pipeline is well, and what to do where it isn't."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region
from etl_cli.aws.place import find_place
from etl_cli.doctor.checkup import Checkup
from etl_cli.doctor.findings import Finding, Level, problem
from etl_cli.terminal.console import Terminal, Text, out, print_json
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.printable import wrapped
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import count

EXIT_PROBLEM = 1
_STYLES: dict[Level, str] = {"ok": "green", "warning": "yellow", "problem": "bold red"}
_LEVEL_WIDTH, _ABOUT_WIDTH = 7, 13
_INDENT = 2 + _LEVEL_WIDTH + 2 + _ABOUT_WIDTH + 2
_WIDEST = 110


def doctor(
    as_json: AsJson = False,
    late_hours: Annotated[
        int, typer.Option(min=1, max=8784, help="How old the watermark may be before data are late.")
    ] = 26,
    profile: Profile = None,
    region: Region = None,
    local_time: LocalTime = False,
) -> None:
    """Look at everything that the pipeline needs, and say what is wrong and what to do.

    Credentials, stack, schedule, workflow, functions, room for workers,
    tables, bucket, events that were lost, the last run, late data, missing time.
    It only reads, and goes on after what it can't see.
    """
    etl, times = EtlLines(profile, region), Times(local_time)
    found = list(look(etl, times, timedelta(hours=late_hours)))
    if as_json:
        print_json(checkup_document(found))
    else:
        print_findings(out, found)
    if any(finding.level == "problem" for finding in found):
        raise typer.Exit(EXIT_PROBLEM)


def look(etl: EtlLines, times: Times, late: timedelta) -> Iterable[Finding]:
    """Look where the options say; without settings to look with, that is the finding."""
    try:
        place = find_place(etl.profile, etl.region)
    except UserError as error:
        yield problem("settings", error)
        return
    yield from Checkup(place, etl, times, datetime.now(UTC), late).findings()


def checkup_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """What `etl doctor --json` prints."""
    return {
        "well": all(finding.level != "problem" for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def print_findings(console: Terminal, findings: Sequence[Finding]) -> None:
    """Print a line for each finding, and below it what to do."""
    width = min(console.width, _WIDEST) if console.is_terminal else _WIDEST
    for finding in findings:
        lines = wrapped(finding.text, width - _INDENT)
        head = Text.assemble(
            "  ", (f"{finding.level:<{_LEVEL_WIDTH}}", _STYLES[finding.level]), f"  {finding.about:<{_ABOUT_WIDTH}}  "
        )
        console.print(head + Text(lines[0]), soft_wrap=True)
        rest = wrapped(finding.remedy, width - _INDENT) if finding.remedy else []
        for line in [*lines[1:], *rest, *([finding.command] if finding.command else [])]:
            console.print(Text(" " * _INDENT + line), soft_wrap=True)
    console.print()
    console.print(_verdict(findings))


def _verdict(findings: Sequence[Finding]) -> str:
    numbers = {level: sum(finding.level == level for finding in findings) for level in ("problem", "warning")}
    told = [count(number, level) for level, number in numbers.items() if number]
    return f"{', '.join(told)}." if told else "All is well."
