"""A plan, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from etl.model.keys import KeyAttributes
from etl.model.limits import STAGED_DAYS
from etl.model.schema import SPECIFIED, Schema
from etl.model.stages import STAGES
from etl_cli.aws.deployed_schema import key_words, time_words
from etl_cli.costs.capacity import TABLE_UNITS, most_segments
from etl_cli.costs.capacity_advice import needs_quota
from etl_cli.costs.cost import Cost, money, plain
from etl_cli.costs.deployed import OLDEST_SIZE
from etl_cli.costs.function_room import SEEN_BY
from etl_cli.costs.planned_window import hours
from etl_cli.costs.planning import Outlook, Plan, advice_lines, parts_line
from etl_cli.costs.prices import NAMES
from etl_cli.costs.usage import STEPS, Usage
from etl_cli.render.sections import print_sum
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration, plural, size
from etl_cli.terminal.grid import Grid, readable
from etl_cli.terminal.times import Times

_WIDEST = 100
_FACT_WIDTH = 12
_STEP_NAMES = ", ".join(stage.state for stage in STAGES if not stage.is_map)
_OLDEST_HOURS = OLDEST_SIZE // timedelta(hours=1)


def plan_document(plan: Plan, etl: EtlLines) -> dict[str, Any]:
    """The plan for `etl plan --json`."""
    settings, found, expected = plan.outlook.settings, plan.outlook.found, plan.expected
    source, time = plan.deployed.source, plan.deployed.schema.time
    return {
        "fits": not plan.problems,
        "window": plan.window.span.document() | {"why": plan.window.why},
        "table": vars(source) | {"oldest_hours": _OLDEST_HOURS},
        "tables": {
            "source": {"name": source.name, "key": _key(plan.deployed.schema.source)},
            "destination": {"name": plan.deployed.destination, "key": _key(plan.deployed.schema.destination)},
            "change_time": {"attribute": time.text, "format": time.format, "zone": time.zone, "missing": time.missing},
        },
        "expected": {
            "items": round(expected.workload.read),
            "records": round(expected.workload.records),
            "items_per_hour": None if expected.per_hour is None else round(expected.per_hour, 3),
            "from_runs": expected.runs,
        },
        "segments": found.segments,
        "workers_at_once": min(found.segments, settings.functions_at_once) if plan.deployed.room else None,
        "stages": [vars(stage) | {"seconds": round(stage.seconds, 1)} for stage in found.stages],
        "seconds": round(found.seconds, 1),
        "timeout_seconds": settings.timeout_seconds,
        "pace": {"times": round(settings.pace, 3), "from_runs": plan.alike},
        "cost": plan.outlook.cost.document(),
        "problems": list(plan.problems),
        "advice": _advice_document(plan.advice, advice_lines(plan, etl)) if plan.advice else None,
        "parts": plan.parts
        and {
            "hours": plan.parts.hours,
            "number": plan.parts.number,
            "seconds": round(plan.parts.each.found.seconds, 1),
            "dollars": plain(plan.parts.dollars),
            "command": parts_line(plan, etl),
        },
    }


def _key(key: KeyAttributes) -> list[dict[str, str]]:
    return [{"name": each.name, "type": each.type} for each in key]


def _advice_document(advised: Outlook, commands: list[str]) -> dict[str, Any]:
    settings = advised.settings
    return {
        "concurrency": settings.concurrency,
        "segment_bytes": round(settings.segment_bytes),
        "read_units_per_second": settings.read_units_per_second,
        "write_units_per_second": settings.write_units_per_second,
        "source_read_units_per_second": settings.source_read_units_per_second,
        "max_write_units_per_second": settings.max_write_units_per_second,
        "timeout_seconds": settings.timeout_seconds,
        "commands": commands,
        "seconds": round(advised.found.seconds, 1),
        "cost": advised.cost.document(),
    }


def print_plan(console: Terminal, plan: Plan, times: Times, etl: EtlLines) -> None:
    """Print the plan: expectations, stages, the bill, and whether it fits."""
    facts = Grid(gap=0)
    facts.whole(style="dim", least=_FACT_WIDTH)
    facts.text()
    for name, lines in _facts(plan, times).items():
        for number, line in enumerate(lines):
            facts.add_row("" if number else f"  {name}", line)
    console.print(facts, width=min(console.width, _WIDEST), soft_wrap=False)
    console.print()
    print_sum(console, [["Stage", "Time", "Invocations", "Waits most for"], *_stages(plan.outlook)], "lrrt")
    console.print()
    print_sum(console, [["Service", "Uses", "Dollars"], *_bill(plan.outlook.cost)], "ltl")
    console.print()
    _print_wrapped(console, _notes(plan))
    console.print()
    if not plan.problems:
        console.print("It fits.", style="green")
        return
    console.print("It does not fit:", style="bold red")
    _print_wrapped(console, [f"{problem}." for problem in plan.problems])
    _print_ways_out(console, plan, etl)


def _facts(plan: Plan, times: Times) -> dict[str, list[str]]:
    span, expected, source = plan.window.span, plan.expected, plan.deployed.source
    runs = "run" if expected.runs == 1 else f"{expected.runs} runs"
    schema = plan.deployed.schema
    if schema.time.format == "none":
        why = "the whole table: it has no change time"
    elif expected.per_hour is None:
        why = "the whole table, as the upper limit: no run has shown yet how much a window holds"
    elif expected.per_hour * hours(span) > expected.workload.items:
        why = f"the whole table: the last {runs} found {expected.per_hour:,.0f} in an hour of window"
    else:
        why = f"{expected.per_hour:,.0f} for each of its {hours(span):,.2f} hours, as in the last {runs}"
    return {
        "Window": [times.window(*span), plan.window.why],
        "Table": [
            f"{source.name}: {plural(source.items, 'item')}, {size(source.size_bytes)}",
            f"from DynamoDB, up to {_OLDEST_HOURS} hours old",
            *([] if schema == SPECIFIED else _schema_lines(schema, plan.deployed.destination)),
        ],
        "Finds": [f"about {plural(round(float(f'{expected.workload.read:.3g}')), 'item')}", why],
        "Segments": [f"{plan.outlook.found.segments}, with a worker each", *_few(plan), *_turns(plan)],
    }


def _few(plan: Plan) -> Iterator[str]:
    """A line if the ceiling on reads allows no more workers."""
    settings, segments = plan.outlook.settings, plan.outlook.found.segments
    if segments == most_segments(settings) < settings.concurrency:
        yield f"no more may share a ceiling of {settings.source_read_units_per_second:,} read units a second"


def _schema_lines(schema: Schema, destination: str) -> list[str]:
    """The keys and the change time, where they aren't the specification's."""
    return [
        f"key {key_words(schema.source)}, {time_words(schema.time)}",
        f"into {destination}, key {key_words(schema.destination)}",
    ]


def _turns(plan: Plan) -> Iterator[str]:
    """A line if workers must take turns, or if that can't be known."""
    room = plan.deployed.room
    if room is None:
        assumed = f"{plan.outlook.settings.functions_at_once:,} at once are assumed"
        yield f"Lambda's room for them can't be seen without {' and '.join(SEEN_BY)}: {assumed}"
    elif plan.outlook.found.waves > 1:
        yield f"Lambda runs {room.least:,} at once, and the others wait: {room.why}"


def _stages(outlook: Outlook) -> list[list[str]]:
    found = outlook.found
    between = found.seconds - sum(stage.seconds for stage in found.stages)
    limit = f"a run has {duration(outlook.settings.timeout_seconds)}"
    return [
        *(
            [stage.name.capitalize(), duration(stage.seconds), f"{stage.invocations:,}", stage.bound_by]
            for stage in found.stages
        ),
        [_STEP_NAMES, duration(between), f"{STEPS}", ""],
        ["In all", duration(found.seconds), f"{found.invocations + STEPS:,}", limit],
    ]


def _bill(cost: Cost) -> list[list[str]]:
    """The services, with their dollars aligned at the point."""
    bill = [(name, uses(name, cost.usage), money(dollars)) for name, dollars in cost.services.items()]
    bill.append(("In all", "", money(cost.total)))
    longest = max(dollars.index(".") for _, _, dollars in bill)
    return [[name, amounts, " " * (longest - dollars.index(".")) + dollars] for name, amounts, dollars in bill]


def uses(service: str, usage: Usage) -> str:
    """The billed amounts of a service, in words."""
    return {
        "DynamoDB reads": plural(round(usage.read_units), "read unit"),
        "DynamoDB writes": plural(round(usage.write_units), "write unit"),
        "Lambda": f"{plural(round(usage.gb_seconds), 'GB-second')}, {plural(round(usage.invocations), 'invocation')}",
        "Step Functions": plural(round(usage.transitions), "state transition"),
        "S3": f"{plural(round(usage.puts + usage.gets), 'request')}, {size(usage.staged_bytes)} for {STAGED_DAYS} days",
        "CloudWatch Logs": f"{size(usage.log_bytes)} of logs",
        "CloudWatch metrics": f"{plural(round(usage.metric_hours), 'metric')} for an hour",
        "EventBridge": plural(round(usage.events), "event"),
        "X-Ray": plural(round(usage.traces), "trace"),
    }[service]


def _notes(plan: Plan) -> list[str]:
    """The basis of the figures."""
    prices = plan.outlook.cost.prices
    recalled = f"; {len(prices.recalled)} of {len(NAMES)} without a date" if prices.recalled else ""
    times = "Times are those of the model in docs/scaling.md: there is no run of about this size to compare with."
    if plan.alike:
        runs = "a run of about this size" if plan.alike == 1 else f"{plan.alike} runs of about this size"
        times = (
            f"Times are {plan.outlook.settings.pace:.2f} times those of the model in docs/scaling.md, as {runs} took."
        )
    return [times, f"Prices {prices.source}{recalled}. See docs/costs.md."]


def _print_ways_out(console: Terminal, plan: Plan, etl: EtlLines) -> None:
    """Print the settings that make the run fit, and its parts that fit."""
    if plan.advice:
        now, then, lines = plan.outlook.settings, plan.advice.settings, advice_lines(plan, etl)
        if then.timeout_seconds != now.timeout_seconds:
            time = f"{then.timeout_seconds / 3600:g} hours"
            lines.append(f"a time-out of {time} (RUN_LIMIT in runtime/etl/model/statuses.py)")
        takes = f"{duration(plan.advice.found.seconds)} and {money(plan.advice.cost.total)}"
        _print_lines(console, f"It would take {takes} with", lines)
        if any("--warm-throughput" in line for line in lines):
            _print_wrapped(console, ["Warm throughput is billed once, when you raise it."])
        if needs_quota(then, now):
            _print_wrapped(console, [f"AWS must first raise the table's quota of {TABLE_UNITS:,} units a second."])
    if plan.parts:
        takes = f"{duration(plan.parts.each.found.seconds)} each, {money(plan.parts.dollars)} in all"
        _print_lines(console, f"Or in {plan.parts.number:,} parts, {takes}:", [parts_line(plan, etl)])


def _print_lines(console: Terminal, title: str, lines: Sequence[str]) -> None:
    """Print commands, which are never broken."""
    for line in ("", title, *(f"  {each}" for each in lines)):
        console.print(line, soft_wrap=True)


def _print_wrapped(console: Terminal, texts: Sequence[str]) -> None:
    for line in (part for text in texts for part in readable(console, text, 2)):
        console.print(f"  {line}", soft_wrap=True)
