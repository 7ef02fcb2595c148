"""The JSON documents of `etl preview`. Items are DynamoDB JSON, binaries in base64."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from etl.tables.change_time import AHEAD, EXCLUDED, OUTSIDE
from etl_cli.runs.item_changes import changes
from etl_cli.runs.staged import before_and_after, loaded_item
from etl_cli.terminal.console import Lazy

if TYPE_CHECKING:
    from etl_cli.items.comparison import ChangedRecord, Comparison, FieldChanges
    from etl_cli.items.item_key import ItemKey
    from etl_cli.items.local_transformation import Outcome
    from etl_cli.items.preview import Preview, RunPreview

LEFT_OUT = (AHEAD, OUTSIDE, EXCLUDED)
# The most changes of one record.
MOST_CHANGES = 1_000


def preview_document(preview: Preview) -> dict[str, Any]:
    """The document of `etl preview --json`."""
    items = [Lazy(partial(_outcome, each)) for each in preview.outcomes]
    return _summary(preview) | {"items": items, "items_left_out": preview.items - len(preview.outcomes)}


def run_preview_document(preview: RunPreview) -> dict[str, Any]:
    """The document of `etl preview --run RUN --json`; ``differences`` is null if there is nothing to compare with."""
    return _summary(preview) | {
        "run": preview.run.id,
        "complete": preview.complete,
        "rejected_then": [each.document() for each in preview.aside_then.rejections()],
        "differences": comparison_document(preview.comparison) if preview.comparison else None,
    }


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The differences between the records of then and of now."""
    return {
        "unchanged": comparison.unchanged,
        "changed": comparison.changed,
        "come": _keys(comparison.come_count, map(comparison.named, comparison.come)),
        "gone": _keys(comparison.gone_count, map(comparison.named, comparison.gone)),
        "fields": [_field(each, comparison.named(each.key)) for each in comparison.fields.values()],
        "further": comparison.further,
        "examples": [Lazy(partial(_changed, each, comparison.named(each.key))) for each in comparison.examples],
    }


def _keys(number: int, examples: Iterable[ItemKey]) -> dict[str, Any]:
    return {"count": number, "examples": [each.document() for each in examples]}


def _keyed(key: ItemKey, values: dict[str, Any]) -> dict[str, Any]:
    """Values of a record with its key: among them, and apart for a key whose attributes have the same names."""
    return key.document() | values | {"key": key.document()}


def _field(found: FieldChanges, key: ItemKey) -> dict[str, Any]:
    change = found.example
    values = {"then": change.before, "now": change.after} if change else {"then": None, "now": None, "too_large": True}
    return {"path": found.path, "mark": found.mark, "count": found.count, "example": _keyed(key, values)}


def _changed(record: ChangedRecord, key: ItemKey) -> dict[str, Any]:
    return _keyed(key, {"then": loaded_item(record.then), "now": loaded_item(record.now)})


def _summary(preview: Preview) -> dict[str, Any]:
    return {
        "window": {"start": preview.run.start, "end": preview.run.end},
        "counts": {
            "items": preview.items,
            "records": preview.records,
            "dropped": preview.dropped,
            **{name: preview.left_out[name] for name in LEFT_OUT},
            "included": preview.included,
            "untimed": preview.aside.untimed,
            "rejected": preview.aside.rejected,
        },
        "rejected": [each.document() for each in preview.aside.rejections()],
        "aggregates": preview.aggregates,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "key": outcome.key.document(),
        "outcome": outcome.fate,
        "reason": outcome.rejection.facts() if outcome.rejection else None,
        "item": Lazy(lambda: outcome.item),
        "records": [Lazy(partial(_record, outcome, record)) for record in outcome.records],
    }


def _record(outcome: Outcome, line: bytes) -> dict[str, Any]:
    item, record = before_and_after(outcome.line, line)
    found = changes(item, record)
    first = [
        {"path": change.path, "mark": change.mark, "before": change.before, "after": change.after}
        for change in islice(found, MOST_CHANGES)
    ]
    return {"record": record, "changes": first, "changes_left_out": sum(1 for _ in found)}
