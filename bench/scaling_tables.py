"""The tables of docs/scaling.md: the capacity model over sizes of table, and held against the benchmark."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.limits import break_even_share, export_dollars, largest_table, most_invocations
from bench.markdown import dollars, duration, large, short, size, table
from etl.model.limits import HISTORY_EVENTS
from etl_cli.costs.capacity import INVOCATION_SECONDS, Estimate, estimate, table_read_units
from etl_cli.costs.capacity_advice import recommend
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.cost import Cost, predicted
from etl_cli.costs.prices import price_list
from etl_cli.costs.usage import GB, KB, history_events

SIZES = tuple(GB * gb for gb in (1, 10, 100, 1024, 10 * 1024))
DAILY = 0.01
SHARES = {"all": 1.0, "1 %": DAILY}
DEFAULT, PRICES = CapacitySettings(), price_list("us-east-1")
UNBOUND = 1e12
# The services whose share grows with the run: metrics are a cent, events and traces thousandths of one.
BILLED = ("DynamoDB reads", "DynamoDB writes", "Lambda", "S3", "Step Functions", "CloudWatch Logs")

Document = dict[str, Any]


def costs_of(document: Document) -> Costs:
    """The measured cost of a record."""
    return Costs(**document["model"])


def _workloads() -> list[tuple[str, Workload]]:
    return [(words, Workload(table_bytes=each, share=share)) for words, share in SHARES.items() for each in SIZES]


def _cost(workload: Workload, document: Document) -> Cost:
    return predicted(estimate(workload, DEFAULT, costs_of(document)), PRICES)


def _first(words: str, workload: Workload) -> list[str]:
    return [size(workload.table_bytes), words]


def _bound(found: Estimate) -> str:
    return f"{found.slowest.name}: {found.slowest.bound_by}"


def _inputs(document: Document) -> str:
    costs = costs_of(document)
    rows = [
        ["a page of a Scan", short(costs.page_us)],
        ["an item extracted", short(costs.extract_us)],
        ["an item transformed", short(costs.transform_us)],
        ["a record loaded", short(costs.load_us)],
    ]
    return table([f"CPU, {document['date']}", "µs"], rows, left=1)


def _check(document: Document) -> str:
    """The clock of the emulated Lambda, as the model predicts it from the CPU measured outside it, and as it was."""
    rows = []
    for case in document["cases"]:
        if case["group"] != "lambda" or case["variant"] != "ours" or not case["wall_us"]:
            continue
        settings = replace(
            DEFAULT,
            segment_bytes=UNBOUND,
            read_units_per_second=UNBOUND,
            write_units_per_second=UNBOUND,
            scan_ms=case["latency_ms"],
            write_ms=case["latency_ms"],
            s3_ms=case["latency_ms"],
            start_ms=0,
        )
        workload = Workload(table_bytes=case["items"] * Workload.item_bytes)
        stages = estimate(workload, settings, costs_of(document)).stages
        predicted = next(stage.seconds for stage in stages if stage.name == case["stage"])
        measured = case["wall_us"] * case["items"] / 1e6
        rows.append(
            [case["stage"], f"{case['items']:,}", f"{predicted:.2f}", f"{measured:.2f}", f"{measured / predicted:.2f}"]
        )
    return table(["Stage", "Items", "Model, s", "Measured, s", "Measured over model"], rows, left=1)


def _sizes(document: Document) -> str:
    rows = []
    for words, workload in _workloads():
        found = estimate(workload, DEFAULT, costs_of(document))
        rows.append(
            [
                *_first(words, workload),
                f"{found.segments}",
                f"{found.invocations:,}",
                duration(found.seconds),
                large(found.usage.read_units),
                large(found.usage.write_units),
                dollars(predicted(found, PRICES).total),
                _bound(found),
                "yes" if found.seconds <= DEFAULT.timeout_seconds else "no",
            ]
        )
    header = ["Table", "Window", "Segments", "Invocations", "Time", "Read units", "Write units", "Cost", "Slowest"]
    return table([*header, "In 30 min"], rows, left=2)


def _dollars(document: Document) -> str:
    rows = []
    for words, workload in _workloads():
        found = _cost(workload, document).services
        rows.append([*_first(words, workload), *(dollars(found[name]) for name in BILLED)])
    return table(["Table", "Window", *BILLED], rows, left=2)


def _recommended(document: Document) -> str:
    costs, rows = costs_of(document), []
    for words, workload in _workloads():
        settings = recommend(workload, DEFAULT, costs)
        found = estimate(workload, settings, costs)
        rows.append(
            [
                *_first(words, workload),
                f"{settings.concurrency}",
                size(settings.segment_bytes),
                f"{settings.read_units_per_second or table_read_units(workload.table_bytes):,.0f}",
                f"{settings.write_units_per_second:,.0f}",
                duration(settings.timeout_seconds),
                f"{found.segments}",
                f"{found.invocations:,}",
                duration(found.seconds),
                dollars(predicted(found, PRICES).total),
                _bound(found),
            ]
        )
    header = ["Table", "Window", "`concurrency`", "`segment_bytes`", "Source, RRU/s", "Destination, WRU/s", "Time-out"]
    return table([*header, "Segments", "Invocations", "Time", "Cost", "Slowest"], rows, left=2)


STEPS = {
    "as deployed": DEFAULT,
    "destination warmed to 40,000 WRU/s": replace(DEFAULT, write_units_per_second=40_000),
    "and `concurrency` 400": replace(DEFAULT, write_units_per_second=40_000, concurrency=400),
    "and both quotas raised to 320,000": replace(
        DEFAULT, write_units_per_second=320_000, read_units_per_second=320_000, concurrency=400
    ),
    "and a time-out of 6 hours": replace(
        DEFAULT,
        write_units_per_second=320_000,
        read_units_per_second=320_000,
        concurrency=400,
        timeout_seconds=6 * 3600,
    ),
}


def _largest(document: Document) -> str:
    shares = (1.0, 0.1, DAILY, 0.001)
    rows = [
        [
            words,
            *(size(largest_table(Workload(table_bytes=GB, share=share), step, costs_of(document))) for share in shares),
        ]
        for words, step in STEPS.items()
    ]
    return table(["Settings and quotas", *(f"{share * 100:g} % in the window" for share in shares)], rows, left=1)


def _export(document: Document) -> str:
    rows = []
    for each in SIZES:
        workload = Workload(table_bytes=each, share=DAILY)
        found = estimate(workload, DEFAULT, costs_of(document))
        cells = [export_dollars(replace(workload, share=share)) for share in (DAILY, 0.1, 1.0)]
        scan = found.stages[0]
        rows.append(
            [
                size(each),
                duration(scan.seconds),
                dollars(_cost(workload, document).services["DynamoDB reads"]),
                *map(dollars, cells),
            ]
        )
    header = ["Table", "Scan, time", "Scan, reads", "Export, 1 % changed", "10 %", "100 %"]
    return (
        table(header, rows, left=1) + f"\nThe two cost the same where {break_even_share(PRICES.prices):.1%} changes.\n"
    )


def _history(document: Document) -> str:
    rows = []
    for segments in (1, 10, 40):
        most = most_invocations(segments)
        each = most / segments
        rows.append(
            [
                f"{segments}",
                f"{history_events(segments, 3 * segments, inline=True):,}",
                f"{most:,}",
                f"{each:,.0f}",
                duration(each * INVOCATION_SECONDS),
            ]
        )
    header = ["Segments", "Events without continuation", "Invocations that fit", "for a segment", "which last"]
    state = ", ".join(f"{costs_of(document).state_bytes * each / KB:.1f} KiB at {each:,}" for each in (40, 1_000))
    return (
        table(header, rows, left=0)
        + f"\n{HISTORY_EVENTS:,} events at most. State of the execution: {state} segments.\n"
    )


SCALING_TABLES: dict[str, Callable[[Document], str]] = {
    "inputs": _inputs,
    "check": _check,
    "sizes": _sizes,
    "dollars": _dollars,
    "recommended": _recommended,
    "largest": _largest,
    "export": _export,
    "history": _history,
}
