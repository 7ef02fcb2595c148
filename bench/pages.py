"""The tables of docs/performance.md, docs/scaling.md and docs/costs.md, made from docs/measured.json and the prices.

`python -m bench.pages` writes them between the pages' marks, `<!-- table NAME -->` and `<!-- end -->`.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cost_tables import COST_TABLES
from bench.markdown import short, table
from bench.plan import SHAPED
from bench.scaling_tables import SCALING_TABLES
from bench.shapes import hostile_shapes, sized_shapes

DOCS = Path(__file__).resolve().parent.parent / "docs"
MEASURED = DOCS / "measured.json"
PAGES = ("performance.md", "scaling.md", "costs.md")
_MARKED = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Document = dict[str, Any]
STAGES = ("extract", "transform", "load")


def _run(document: Document) -> str:
    machine = document["machine"]
    versions = [f"{name} {text}" for name, text in machine.items() if name not in _DESCRIBED and text]
    kind = "A full run" if document["kind"] == "full" else "A **quick** run (few items and rounds: rough figures)"
    return (
        f"{kind} of {document['date']} on {machine['processor']}, {machine['cpus']} CPUs, {machine['memory']}, "
        f"{machine['system']}, {machine['python']}. {', '.join(versions)}.\n"
    )


_DESCRIBED = ("processor", "cpus", "memory", "system", "python", "load")


_BOUNDS = {">=": "≥", "<=": "≤"}


def _met(target: dict[str, Any]) -> str:
    return "reached" if target["reached"] else "**missed**"


def _targets(document: Document) -> str:
    rows = [
        [each["claim"], _BOUNDS[each["bound"][:2]] + each["bound"][2:], short(each["value"]), _met(each)]
        for each in document["targets"]
    ]
    return table(["Claim", "Target", "Measured", ""], rows, left=1)


def _group(group: str) -> Callable[[Document], str]:
    """A table of one group: stage, variant, items, ratio, and the machine's own figures."""

    def made(document: Document) -> str:
        cases = [case for case in document["cases"] if case["group"] == group]
        if not cases:
            return "_Not measured in this run._\n"
        cases.sort(key=lambda case: (STAGES.index(case["stage"]), case["items"], -case["cpu_us"]))
        header = ["Stage", "Variant", "Items", "× tutorial, CPU", "× tutorial, clock", "Peak MB", "µs CPU / item"]
        return table(header, [_row(case) for case in cases], left=2)

    return made


def _row(case: dict[str, Any]) -> list[str]:
    label = f"**{case['label']}**" if case["variant"] == "ours" else case["label"]
    first = [case["stage"], label, f"{case['items']:,}"]
    if case["problem"] or not case["cpu_us"]:
        return [*first, case["problem"] or "–", "", "", ""]
    ratios = [short(case[name]) if case[name] else "–" for name in ("ratio", "wall_ratio")]
    return [*first, *ratios, f"{case['peak_mb']:.0f}", short(case["cpu_us"])]


def _continued(document: Document) -> str:
    cases = [case for case in document["cases"] if case["group"] == "continued"]
    rows = [[case["stage"], f"{case['items']:,}", f"{case['invocations']}", f"{case['peak_mb']:.0f}"] for case in cases]
    return table(["Stage", "Items", "Invocations", "Peak MB"], rows, left=1)


def _shape(document: Document) -> str:
    """Memory in each stage by the shape of the items, and CPU as a multiple of that for the smallest items."""
    cases = {(case["shape"], case["stage"]): case for case in document["cases"] if case["group"] == SHAPED}
    rows = []
    for shape in sized_shapes() + hostile_shapes() if cases else []:
        mine = [cases[shape.name, stage] for stage in STAGES]
        least = [cases["text-400B", stage]["cpu_us"] for stage in STAGES]
        peaks = [case["problem"] or f"{case['peak_mb']:.0f}" for case in mine]
        times = [f"{short(case['cpu_us'] / us)}" if us else "–" for case, us in zip(mine, least, strict=True)]
        rows.append([shape.words, f"{mine[0]['items']:,}", short(len(shape.line(0)) / 1000), *peaks, *times])
    header = ["An item is", "Items", "kB of JSON", *(f"{stage}, MB" for stage in STAGES)]
    header += [f"{stage}, × CPU" for stage in STAGES]
    return table(header, rows, left=1) if rows else "_Not measured in this run._\n"


def _cold(document: Document) -> str:
    cold = document["cold_start"]
    if cold["problem"]:
        return f"_{cold['problem']}_\n"
    rows = [
        [stage, f"{milliseconds / cold['boto3_ms']:.0%}", f"{milliseconds:.0f}", f"{cold['source_ms'][stage]:.0f}"]
        for stage, milliseconds in cold["import_ms"].items()
    ]
    header = ["Function", "Imports over boto3's own", "ms", "ms, had the zip no bytecode"]
    sizes = f"The zip has {cold['zip_bytes'] / 1e6:.2f} MB, of which packages {cold['packages_bytes'] / 1e6:.2f} MB."
    return table(header, rows, left=1) + f"\n{sizes}\n"


TABLES: dict[str, Callable[[Document], str]] = {
    "run": _run,
    "targets": _targets,
    "dense": _group("dense"),
    "sparse": _group("sparse"),
    "size": _group("size"),
    "lambda": _group("lambda"),
    "continued": _continued,
    "shape": _shape,
    "cold": _cold,
    **SCALING_TABLES,
    **COST_TABLES,
}


def updated(page: str, document: Document) -> str:
    """The page with every table made again.

    Raises:
        KeyError: a mark names a table that there isn't.
    """
    return _MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]](document)}\n{found[3]}", page)


def update_pages() -> None:
    """Write the tables into the pages."""
    document = json.loads(MEASURED.read_text())
    for name in PAGES:
        path = DOCS / name
        path.write_text(updated(path.read_text(), document))


if __name__ == "__main__":
    update_pages()
