"""The tables of docs/costs.md: example sizes with the capacity model and the table of prices."""

from collections.abc import Callable
from dataclasses import replace

from bench.markdown import dollars, duration, large, size, table
from bench.scaling_tables import DEFAULT, PRICES, Document, costs_of
from etl_cli.costs.capacity import estimate
from etl_cli.costs.capacity_advice import recommend
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.cost import Cost, predicted
from etl_cli.costs.prices import NAMES, PriceList, price_list, read_table
from etl_cli.costs.usage import GB, KB, MB

# A table, and the items in a daily run's window; a first copy's window has all.
EXAMPLES = {
    "daily": [(100 * MB, 0.1), (GB, 0.01), (10 * GB, 0.01), (100 * GB, 0.01)],
    "first copy": [(GB, 1.0), (10 * GB, 1.0)],
}
USUAL = Workload(table_bytes=10 * GB, share=0.01)
RUNS_A_MONTH = 30


def _costs(document: Document) -> list[list[str]]:
    measured, rows = costs_of(document), []
    for kind, workloads in EXAMPLES.items():
        for table_bytes, share in workloads:
            workload = Workload(table_bytes=table_bytes, share=share)
            settings = recommend(workload, DEFAULT, measured)
            found = estimate(workload, settings, measured)
            cost = predicted(found, PRICES)
            rows.append(
                [
                    size(table_bytes),
                    kind,
                    large(workload.records),
                    duration(found.seconds),
                    *(dollars(cost.services[name]) for name in _SHOWN),
                    dollars(cost.total - sum(cost.services[name] for name in _SHOWN)),
                    dollars(cost.total),
                    dollars(RUNS_A_MONTH * cost.total) if kind == "daily" else "once",
                ]
            )
    return rows


_SHOWN = ("DynamoDB reads", "DynamoDB writes", "Lambda", "S3")


def _examples(document: Document) -> str:
    header = ["Table", "Run", "Records", "Time", "Reads", "Writes", "Lambda", "S3", "All else", "A run", "30 runs"]
    return table(header, _costs(document), left=2)


def _levers(document: Document) -> str:
    """The usual run's cost when one thing changes."""
    measured = costs_of(document)
    usual = _cost(USUAL, DEFAULT, measured)
    large_items = replace(USUAL, item_bytes=1.5 * KB, wire_bytes=3 * KB, record_bytes=2.5 * KB)
    ceiling = replace(DEFAULT, max_write_units_per_second=1_000)
    changes: dict[str, Cost] = {
        "as deployed": usual,
        "the transformation leaves half of the items out": _cost(replace(USUAL, kept=0.5), DEFAULT, measured),
        "twice as many items in the window": _cost(replace(USUAL, share=0.02), DEFAULT, measured),
        "the table is twice as large, with as many items in the window": _cost(
            replace(USUAL, table_bytes=20 * GB, share=0.005), DEFAULT, measured
        ),
        "items of 1.5 KB instead of 0.2, so fewer of them, with two write units each": _cost(
            large_items, DEFAULT, measured
        ),
        "`architecture` arm64": _cost(USUAL, DEFAULT, measured, "arm64"),
        "`max_write_units_per_second` 1,000": _cost(USUAL, ceiling, measured),
        "the destination warmed to 12,000 units a second": _cost(
            USUAL, replace(DEFAULT, write_units_per_second=12_000), measured
        ),
        "`segment_bytes` 1 GB, which makes 10 segments of 40": _cost(
            USUAL, replace(DEFAULT, segment_bytes=GB), measured
        ),
    }
    rows = [
        [
            words,
            *(dollars(cost.services[name]) for name in _SHOWN),
            dollars(cost.total),
            f"{cost.total / usual.total:.2f}",
        ]
        for words, cost in changes.items()
    ]
    return table(["Change", "Reads", "Writes", "Lambda", "S3", "A run", "×"], rows, left=1)


def _regions(document: Document) -> str:
    measured = costs_of(document)
    usual, rows = _cost(USUAL, DEFAULT, measured).total, []
    for region, prices in read_table()["regions"].items():
        total = _cost(USUAL, DEFAULT, measured, prices=price_list(region)).total
        recalled = len(prices["recalled"])
        rows.append(
            [
                region,
                str(prices["dated"]),
                f"{len(NAMES) - recalled} of {len(NAMES)}",
                dollars(total),
                f"{total / usual:.2f}",
            ]
        )
    return table(["Region", "Latest date", "Prices with a date", "A run", "×"], rows, left=2)


def _cost(
    workload: Workload,
    settings: CapacitySettings,
    measured: Costs,
    architecture: str = "x86_64",
    prices: PriceList = PRICES,
) -> Cost:
    return predicted(estimate(workload, settings, measured), prices, architecture)


COST_TABLES: dict[str, Callable[[Document], str]] = {
    "examples": _examples,
    "levers": _levers,
    "regions": _regions,
}
