"""How the settings that make a run fit are set: lines for a shell."""

from __future__ import annotations

from etl_cli.aws.cli_lines import aws
from etl_cli.aws.deployment import deploy_line, is_local
from etl_cli.costs.planning import Plan
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.printable import shell_words
from etl_cli.terminal.words import format_instant

_CONTEXT = ("concurrency", "segment_bytes", "max_write_units_per_second")


def advice_lines(plan: Plan, etl: EtlLines) -> list[str]:
    """What to type for the settings that are advised; empty when none are, or only a longer time-out."""
    if plan.advice is None:
        return []
    now, then = plan.outlook.settings, plan.advice.settings
    lines = []
    if then.write_units_per_second != now.write_units_per_second:
        lines.append(_warm(plan.destination, "WriteUnitsPerSecond", then.write_units_per_second, etl))
    if then.read_units_per_second and then.read_units_per_second != now.read_units_per_second:
        lines.append(_warm(plan.source.name, "ReadUnitsPerSecond", then.read_units_per_second, etl))
    changed = [name for name in _CONTEXT if getattr(then, name) != getattr(now, name)]
    if changed:
        line = deploy_line(plan.endpoint, [f"etl:{name}={getattr(then, name):.0f}" for name in changed])
        profile = ["--profile", shell_words(etl.profile)] if etl.profile and not is_local(plan.endpoint) else []
        lines.append(" ".join([line, *profile]))
    return lines


def parts_line(plan: Plan, etl: EtlLines) -> str:
    """What to type to run the window in parts; empty when that doesn't help."""
    if plan.parts is None:
        return ""
    span, length = plan.window.span, plan.parts.hours
    step = f"{length // 24}d" if length % 24 == 0 else f"{length}h"
    words = ["backfill", "--from", format_instant(span.start), "--to", format_instant(span.end), "--step", step]
    return etl.line(*words)


def _warm(table: str, name: str, units: float, etl: EtlLines) -> str:
    line = aws("dynamodb", "update-table", "--table-name", table, "--warm-throughput", f"{name}={units:.0f}")
    return " ".join([line, *etl.options])
