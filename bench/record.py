"""The record of a run: a summary and pictures next to its results and, with --record, in docs/.

`.venv-bench/bin/python -m bench.record` shows the last full run without measuring again.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cold_start import ColdStart
from bench.dataset import SPARSE, pages, raw_lines
from bench.environment import CHECKOUT
from bench.figures import Line, Target, lines, shape_targets, targets
from bench.pages import MEASURED, update_pages
from bench.pictures import draw
from bench.plan import FULL, GROUPS, SHAPED, STAGES
from bench.runner import Result

IMAGES = CHECKOUT / "docs" / "images"
RESULTS = Path(__file__).parent / "results"


def summary(kind: str, results: list[Result], cold: ColdStart, machine: dict[str, str]) -> dict[str, Any]:
    """The figures of a run, small enough to be kept: medians and no rounds."""
    return {
        "kind": kind,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine,
        "model": _model(results),
        "cold_start": cold.__dict__,
        "targets": list(map(_target, targets(results, cold))),
        "cases": [_case(line) for group in GROUPS for stage in STAGES for line in lines(results, group, stage)],
    }


def _target(found: Target) -> dict[str, Any]:
    return {"claim": found.claim, "bound": found.bound, "value": _rounded(found.value), "reached": found.reached}


def _case(line: Line) -> dict[str, Any]:
    case, runs = line.result.case, line.result.runs
    figures = {name: getattr(line, name) for name in ("cpu_us", "wall_us", "peak_mb", "ratio", "wall_ratio")}
    return {
        "group": case.group,
        "stage": case.stage,
        "variant": case.variant.name,
        "label": case.variant.label,
        "items": case.items,
        "shape": case.shape,
        "rounds": len(runs),
        "invocations": runs[0].facts.get("invocations", 0) if runs else 0,
        "latency_ms": case.latency_ms,
        "problem": line.result.problem,
    } | {name: _rounded(value) for name, value in figures.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _model(results: list[Result]) -> dict[str, float]:
    """The capacity model's inputs (``etl_cli.costs.capacity_inputs.Costs``); empty if a stage is missing.

    A page costs the same whether it has many items of the window or few, so that its part follows from both.
    """
    costs = {(group, stage): _ours(results, group, stage) for group in ("dense", "sparse") for stage in STAGES}
    dense, sparse = costs["dense", "extract"], costs["sparse", "extract"]
    if not (dense and sparse and costs["dense", "transform"] and costs["dense", "load"]):
        return {}
    extract = (dense.cpu_us - sparse.cpu_us) / (1 - 1 / SPARSE)
    table = [len(page) for page in pages()]
    raw = raw_lines()
    state = max(line.result.runs[0].facts["state_bytes"] for line in costs.values() if line)
    found = {
        "page_us": (sparse.cpu_us - extract / SPARSE) * sum(table) / len(table),
        "extract_us": extract,
        "transform_us": costs["dense", "transform"].cpu_us,
        "load_us": costs["dense", "load"].cpu_us,
        "wire_bytes": sum(map(len, raw)) / len(raw) + len(",\n"),
        "state_bytes": float(state),
    }
    return {name: _rounded(value) for name, value in found.items()}


def _ours(results: list[Result], group: str, stage: str) -> Line | None:
    found = (line for line in lines(results, group, stage) if line.result.case.variant.name == "ours" and line.cpu_us)
    return next(found, None)


def write_summary(folder: Path, document: dict[str, Any]) -> None:
    """Write the summary and the pictures of a run into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MEASURED.name).write_text(_text(document))
    draw(document, folder)


def record_shapes(results: list[Result]) -> None:
    """Show the sizes and shapes of items in docs/, in the place of those that were measured before.

    Raises:
        SystemExit: a stage failed or was wrong.
    """
    if any(result.problem for result in results):
        raise SystemExit("error: docs/ is left as it is, since a stage of this project failed or was wrong: see above")
    document = json.loads(MEASURED.read_text())
    claims = {each.claim: each for each in shape_targets(results)}
    document["cases"] = [case for case in document["cases"] if case["group"] != SHAPED]
    document["cases"] += [_case(line) for stage in STAGES for line in lines(results, SHAPED, stage)]
    document["targets"] = [each for each in document["targets"] if each["claim"] not in claims]
    document["targets"] += map(_target, claims.values())
    MEASURED.write_text(_text(document))
    update_pages()


def _text(document: dict[str, Any]) -> str:
    """JSON with a case or a target a line, so that two runs can be compared."""
    rows = {name: document[name] for name in ("targets", "cases")}
    marks = {name: f"@{name}@" for name in rows}
    text = json.dumps(document | marks, indent=1, ensure_ascii=False)
    for name, mark in marks.items():
        lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows[name])
        text = text.replace(f'"{mark}"', f"[\n  {lines}\n ]")
    return text + "\n"


def record(folder: Path) -> None:
    """Show the run whose summary is in ``folder`` in docs/: the summary itself, the pictures, the tables.

    Raises:
        SystemExit: a stage of ours failed, so that the capacity model has nothing to go by.
    """
    if not json.loads((folder / MEASURED.name).read_text())["model"]:
        raise SystemExit("error: docs/ is left as it is, since a stage of this project failed or was wrong: see above")
    shutil.copy(folder / MEASURED.name, MEASURED)
    for picture in folder.glob("*.svg"):
        shutil.copy(picture, IMAGES / f"bench-{picture.name}")
    update_pages()


if __name__ == "__main__":
    record(RESULTS / FULL)
