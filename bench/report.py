"""The results as tables and as JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.cold_start import ColdStart
from bench.figures import Line, Target, lines, targets
from bench.plan import STAGES, VARIANTS
from bench.runner import Result

GROUPS = {
    "dense": "every item in the window",
    "sparse": "1 item in 100 in the window",
    "trouble": "every fifth batch comes back in part",
    "continued": "in many short invocations",
    "size": "over sizes",
    "shape": "over sizes and shapes of items",
    "tables": "over tables with another key and another time",
    "lambda": "emulated Lambda: 512 MB, 0.29 CPU, server 5 ms away",
}


def print_tables(console: Console, results: list[Result], cold: ColdStart, machine: dict[str, str]) -> None:
    """Print a table for each group and stage, the omissions with their reasons, the targets, the machine."""
    for group in GROUPS:
        print_group(console, results, group)
    _print_cold(console, cold)
    console.print(_targets_table(targets(results, cold)))
    for variant in VARIANTS:
        if variant.note:
            console.print(f"{variant.label}: {variant.note}", style="dim")
    console.print(" · ".join(f"{name} {text}" for name, text in machine.items() if text), style="dim")


def print_group(console: Console, results: list[Result], group: str) -> None:
    """Print a table for each stage of a group."""
    for stage in STAGES:
        if found := lines(results, group, stage):
            console.print(_table(f"{stage}, {GROUPS[group]}", found))
            for line in found:
                if line.result.problem:
                    console.print(f"  {line.result.case.label}: {line.result.problem}", markup=False)
                elif group == "continued":
                    console.print(f"  in {line.result.runs[0].facts['invocations']} invocations")


def _table(title: str, found: list[Line]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("variant")
    for name in ("items", "× tutorial", "µs CPU / item", "µs clock / item", "× by clock", "peak MB", "M items / 5 min"):
        table.add_column(name, justify="right")
    for line in sorted(found, key=lambda each: (each.result.case.items, -each.cpu_us)):
        case = line.result.case
        cells = ["–"] * 6
        if line.cpu_us:
            figures = (line.ratio, line.cpu_us, line.wall_us, line.wall_ratio, line.peak_mb, line.millions)
            cells = [_short(each) if each else "–" for each in figures]
        style = "bold" if case.variant.name == "ours" else None
        table.add_row(case.label, f"{case.items:,}", *cells, style=style)
    return table


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _print_cold(console: Console, cold: ColdStart) -> None:
    if cold.problem:
        console.print(f"cold start: {cold.problem}")
        return
    table = Table(title="cold start", title_justify="left", title_style="bold")
    for name in ("stage", "boto3, ms", "our imports, ms", "without bytecode, ms"):
        table.add_column(name, justify="right" if "ms" in name else "left")
    for stage, milliseconds in cold.import_ms.items():
        table.add_row(stage, f"{cold.boto3_ms:.0f}", f"{milliseconds:.1f}", f"{cold.source_ms[stage]:.1f}")
    console.print(table)
    console.print(f"zip: {cold.zip_bytes / 1e6:.2f} MB, of which packages {cold.packages_bytes / 1e6:.2f} MB")


def _targets_table(found: list[Target]) -> Table:
    table = Table(title="targets", title_justify="left", title_style="bold")
    for name in ("claim", "target", "measured", ""):
        table.add_column(name, justify="left" if name in ("claim", "") else "right")
    for target in found:
        mark = "[green]reached[/]" if target.reached else "[red]missed[/]"
        table.add_row(target.claim, target.bound, _short(target.value), mark)
    return table


def as_document(results: list[Result], cold: ColdStart, machine: dict[str, str]) -> dict[str, Any]:
    """Everything that was measured, for a file: cases with each round, figures, targets, the machine."""
    figures = [line for group in GROUPS for stage in STAGES for line in lines(results, group, stage)]
    return {
        "machine": machine,
        "cold_start": asdict(cold),
        "targets": [asdict(each) | {"reached": each.reached} for each in _finite(targets(results, cold))],
        "cases": [asdict(line) for line in figures],
    }


def _finite(found: list[Target]) -> list[Target]:
    """Targets without infinity, which JSON lacks: an upper bound that isn't one becomes 0."""
    return [each if each.least == 0 else Target(each.claim, each.value, each.least, 0.0) for each in found]


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write the document where the next run replaces it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
