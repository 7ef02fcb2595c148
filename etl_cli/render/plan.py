"""What `etl plan` tells people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from etl_cli.costs.capacity import TABLE_UNITS
from etl_cli.costs.capacity_advice import needs_quota
from etl_cli.costs.cost import STAGED_DAYS, Cost, money
from etl_cli.costs.deployed import OLDEST_SIZE
from etl_cli.costs.function_room import SEEN_BY
from etl_cli.costs.plan_advice import advice_lines, parts_line
from etl_cli.costs.planning import Outlook, Parts, Plan
from etl_cli.costs.prices import NAMES
from etl_cli.costs.usage import STEPS, Usage
from etl_cli.costs.window import hours
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.grid import NARROWEST, Grid
from etl_cli.terminal.printable import wrapped
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import count, duration, size

_WIDEST = 100
_FACT_WIDTH = 10


def print_plan(console: Terminal, plan: Plan, times: Times, etl: EtlLines) -> None:
    """Print the plan: what is expected, the stages, the bill, and whether it fits."""
    for name, lines in _facts(plan, times).items():
        _print_fact(console, name, lines)
    _print_rows(console, [["Stage", "Time", "Invocations", "Waits most for"], *_stages(plan.outlook)], "lrrt")
    _print_rows(console, [["Service", "Uses", "Dollars"], *_bill(plan.outlook.cost)], "ltl")
    console.print()
    for line in _notes(plan):
        _print_wrapped(console, line)
    console.print()
    if not plan.problems:
        console.print("It fits.", style="green")
        return
    console.print("It does not fit:", style="bold red")
    for problem in plan.problems:
        _print_wrapped(console, f"{problem}.")
    if plan.advice:
        _print_advice(console, plan, plan.advice, etl)
    if plan.parts:
        _print_parts(console, plan.parts, parts_line(plan, etl))


def _facts(plan: Plan, times: Times) -> dict[str, list[str]]:
    span, expected, source = plan.window.span, plan.expected, plan.source
    if expected.per_hour is None:
        why = "all that the table has, the most it can be: no run has told yet what a window holds"
    else:
        runs = "run" if expected.runs == 1 else f"{expected.runs} runs"
        why = f"{expected.per_hour:,.0f} for each of its {hours(span):,.2f} hours, as in the last {runs}"
        if expected.per_hour * hours(span) > expected.workload.items:
            why = f"all that the table has: the last {runs} found {expected.per_hour:,.0f} in an hour of window"
    return {
        "Window": [times.window(span.start, span.end), plan.window.why],
        "Table": [
            f"{source.name}: {count(source.items, 'item')}, {size(source.size_bytes)}",
            f"as DynamoDB tells it, up to {OLDEST_SIZE // timedelta(hours=1)} hours old",
        ],
        "Finds": [f"about {count(round(float(f'{expected.workload.read:.3g}')), 'item')}", why],
        "Segments": [f"{plan.outlook.found.segments}, with a worker each", *_turns(plan)],
    }


def _turns(plan: Plan) -> Iterator[str]:
    """Whether workers must take turns."""
    if plan.room is None:
        assumed = f"{plan.outlook.settings.functions_at_once:,} at once are assumed"
        yield f"Lambda's room for them can't be seen, which takes {' and '.join(SEEN_BY)}: {assumed}"
    elif plan.outlook.found.waves > 1:
        yield f"Lambda runs {plan.room.least:,} at once, and the others wait: {plan.room.why}"


def _print_fact(console: Terminal, name: str, lines: Sequence[str]) -> None:
    width = _width(console) - _FACT_WIDTH
    for number, line in enumerate(part for each in lines for part in wrapped(each, width)):
        console.print(Text.assemble("  ", (f"{'' if number else name:<{_FACT_WIDTH}}", "dim"), line), soft_wrap=True)


def _stages(outlook: Outlook) -> list[list[str]]:
    found = outlook.found
    rows = [
        [stage.name.capitalize(), duration(stage.seconds), f"{stage.invocations:,}", stage.bound_by]
        for stage in found.stages
    ]
    between = found.seconds - sum(stage.seconds for stage in found.stages)
    return [
        *rows,
        ["Plan, Gate, Finish", duration(between), f"{STEPS}", ""],
        ["In all", duration(found.seconds), f"{found.invocations + STEPS:,}", _of(outlook)],
    ]


def _of(outlook: Outlook) -> str:
    return f"a run has {duration(outlook.settings.timeout_seconds)}"


def _bill(cost: Cost) -> list[list[str]]:
    """The services, with their dollars aligned at the point."""
    bill = [(name, uses(name, cost.usage), money(dollars)) for name, dollars in cost.services.items()]
    bill.append(("In all", "", money(cost.total)))
    longest = max(dollars.index(".") for _, _, dollars in bill)
    return [[name, uses, " " * (longest - dollars.index(".")) + dollars] for name, uses, dollars in bill]


def uses(service: str, usage: Usage) -> str:
    """What is billed of a service, in words."""
    return {
        "DynamoDB reads": count(round(usage.read_units), "read unit"),
        "DynamoDB writes": count(round(usage.write_units), "write unit"),
        "Lambda": f"{count(round(usage.gb_seconds), 'GB-second')}, {count(round(usage.invocations), 'invocation')}",
        "Step Functions": count(round(usage.transitions), "state transition"),
        "S3": f"{count(round(usage.puts + usage.gets), 'request')}, {size(usage.staged_bytes)} for {STAGED_DAYS} days",
        "CloudWatch Logs": f"{size(usage.log_bytes)} of logs",
        "CloudWatch metrics": f"{count(round(usage.metric_hours), 'metric')} for an hour",
        "EventBridge": count(round(usage.events), "event"),
        "X-Ray": count(round(usage.traces), "trace"),
    }[service]


def _print_rows(console: Terminal, rows: Sequence[Sequence[str]], columns: str) -> None:
    """Print columns: the first row is their heads, the last one the sum.

    Args:
        console: where.
        rows: of as many cells each.
        columns: a letter for each: l or r for one that is whole, at which side; t for text, which wraps.
    """
    table = Grid(gap=3)
    table.whole()
    for column in columns[1:]:
        if column == "t":
            table.text()
        else:
            table.whole("right" if column == "r" else "left")
    for number, (first, *cells) in enumerate(rows, 1):
        table.add_row(f"  {first}", *cells, style="dim" if number == 1 else "bold" if number == len(rows) else "")
    console.print()
    console.print(table, width=max(console.width, NARROWEST), soft_wrap=False)


def _notes(plan: Plan) -> list[str]:
    """What the figures rest on."""
    prices = plan.outlook.cost.prices
    recalled = f"; {len(prices.recalled)} of {len(NAMES)} without a date" if prices.recalled else ""
    times = "Times are those of the model in docs/scaling.md: no run of about this size has told."
    if plan.alike:
        runs = "a run of about this size" if plan.alike == 1 else f"{plan.alike} runs of about this size"
        times = (
            f"Times are {plan.outlook.settings.pace:.2f} times those of the model in docs/scaling.md, as {runs} took."
        )
    return [times, f"Prices {prices.source}{recalled}. See docs/costs.md."]


def _print_advice(console: Terminal, plan: Plan, advised: Outlook, etl: EtlLines) -> None:
    takes = f"{duration(advised.found.seconds)} and {money(advised.cost.total)}"
    lines = advice_lines(plan, etl)
    if advised.settings.timeout_seconds != plan.outlook.settings.timeout_seconds:
        hours_given = f"{advised.settings.timeout_seconds / 3600:g} hours"
        lines.append(f"a time-out of {hours_given} (RUN_LIMIT in runtime/etl/model/statuses.py)")
    console.print()
    console.print(f"It would take {takes} with", soft_wrap=True)
    for line in lines:
        console.print(f"  {line}", soft_wrap=True)
    if any("--warm-throughput" in line for line in lines):
        _print_wrapped(
            console, "Warm throughput is billed once, when it is set, for what the table didn't have before."
        )
    if needs_quota(advised.settings, plan.outlook.settings):
        _print_wrapped(console, f"AWS must first raise the table's quota of {TABLE_UNITS:,} units a second.")


def _print_parts(console: Terminal, parts: Parts, line: str) -> None:
    takes = f"{duration(parts.each.found.seconds)} each, {money(parts.dollars)} in all"
    console.print()
    console.print(f"Or in {parts.number:,} parts, {takes}:", soft_wrap=True)
    console.print(f"  {line}", soft_wrap=True)


def _print_wrapped(console: Terminal, text: str) -> None:
    for line in wrapped(text, _width(console)):
        console.print(f"  {line}", soft_wrap=True)


def _width(console: Terminal) -> int:
    return min(console.width, _WIDEST) - 2
