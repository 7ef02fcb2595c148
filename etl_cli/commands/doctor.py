"""`etl doctor`: checks the pipeline, and has the remedy for each problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from etl.model.settings import Settings
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region
from etl_cli.aws.place import find_place
from etl_cli.doctor.checkup import Checkup
from etl_cli.doctor.findings import STYLES, Finding, problem
from etl_cli.terminal.console import Terminal, Text, out, print_json
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.exit_codes import EXIT_FAILED
from etl_cli.terminal.formats import plural
from etl_cli.terminal.grid import readable
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb

_LEVEL_WIDTH, _ABOUT_WIDTH = 7, 13
_INDENT = 2 + _LEVEL_WIDTH + 2 + _ABOUT_WIDTH + 2


@verb(
    examples=("etl doctor", "etl doctor --json", "etl doctor --profile night --late-hours 50"),
    exits={0: "no problem, warnings at most", 1: "a problem"},
)
def doctor(
    as_json: AsJson = False,
    late_hours: Annotated[
        int, typer.Option(min=1, max=8784, help="Hours after which the watermark counts as late.")
    ] = Settings.late_hours,
    profile: Profile = None,
    region: Region = None,
    local_time: LocalTime = False,
) -> None:
    """Check everything that the pipeline needs, with the remedy for each problem.

    It checks credentials, stack, schedule, workflow, functions, room for workers, tables, bucket, lost events,
    the last run, late data and missing time. It only reads, and goes on after a check that AWS refuses.
    """
    etl, times = EtlLines(profile, region), Times(local_time)
    found = list(check(etl, times, timedelta(hours=late_hours)))
    if as_json:
        print_json(checkup_document(found))
    else:
        print_findings(out, found)
    if any(finding.level == "problem" for finding in found):
        raise typer.Exit(EXIT_FAILED)


def check(etl: EtlLines, times: Times, late: timedelta) -> Iterable[Finding]:
    """Check the pipeline of these options; unusable settings are a finding too."""
    try:
        place = find_place(etl.profile, etl.region)
    except UserError as error:
        yield problem("settings", error)
        return
    yield from Checkup(place, etl, times, datetime.now(UTC), late).findings()


def checkup_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings for `etl doctor --json`."""
    return {
        "well": all(finding.level != "problem" for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def print_findings(console: Terminal, findings: Sequence[Finding]) -> None:
    """Print a line for each finding, with its remedy below."""
    for finding in findings:
        lines = readable(console, finding.text, _INDENT)
        head = Text.assemble(
            "  ", (f"{finding.level:<{_LEVEL_WIDTH}}", STYLES[finding.level]), f"  {finding.about:<{_ABOUT_WIDTH}}  "
        )
        console.print(head + Text(lines[0]), soft_wrap=True)
        rest = readable(console, finding.remedy, _INDENT) if finding.remedy else []
        for line in [*lines[1:], *rest, *([finding.command] if finding.command else [])]:
            console.print(Text(" " * _INDENT + line), soft_wrap=True)
    console.print()
    console.print(_verdict(findings))


def _verdict(findings: Sequence[Finding]) -> str:
    numbers = {level: sum(finding.level == level for finding in findings) for level in ("problem", "warning")}
    parts = [plural(number, level) for level, number in numbers.items() if number]
    return f"{', '.join(parts)}." if parts else "All is well."
