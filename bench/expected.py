"""The expected counts of the server after a case. A variant that loses or changes records isn't compared."""

import json
from typing import Any

from bench.dataset import item, simplified, transformed
from bench.plan import Case
from bench.server.dynamodb import matching_items


def problem_with(case: Case, counts: dict[str, Any]) -> str:
    """Compare the server's counts and its first record with the expected ones; return the difference or nothing."""
    due = {"scanned": 0, "staged": case.items, "written": 0}
    if case.stage == "extract":
        due = {"scanned": case.items, "staged": matching_items(case.items, dense=case.dense), "written": 0}
    elif case.stage == "load":
        due = {"scanned": 0, "staged": 0, "written": case.items}
    wrong = [f"{name} {counts[name]:,} of {number:,}" for name, number in due.items() if counts[name] != number]
    if wrong:
        return f"wrong: {', '.join(wrong)}"
    return "" if case.shape else _record_problem(case.stage, counts["sample"])  # tests/memory compares each of those


def _record_problem(stage: str, sample: str) -> str:
    """Check the first record. Every variant's form is accepted, a wrong value isn't."""
    text = sample[sample.index('"Item"') + len('"Item"') :].lstrip(": ") if stage == "load" else sample.lstrip("[ \n")
    record, _ = json.JSONDecoder().raw_decode(text)
    is_wire = all(isinstance(value, dict) and len(value) == 1 for value in record.values())
    got = simplified({"M": record}) if is_wire else _without_nulls(record)
    source = item(int(got["id"].rpartition("-")[2]))
    want = simplified({"M": source}) if stage == "extract" else transformed(source)
    differing = sorted(name for name in got.keys() | want.keys() if got.get(name) != want.get(name))
    return f"wrong: a record differs in {', '.join(differing)}" if differing else ""


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
