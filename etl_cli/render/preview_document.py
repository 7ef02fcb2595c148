"""What `etl preview` tells programs. Items are DynamoDB JSON, binaries in base64."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from etl_cli.items.local_transformation import Outcome
from etl_cli.runs.item import Change, changes
from etl_cli.runs.staged_record import before_and_after
from etl_cli.terminal.console import Later

if TYPE_CHECKING:
    from etl_cli.items.rehearsal import Rehearsed, RehearsedRun


# Changes of one record that are told.
MOST_CHANGES = 1_000


def rehearsed_document(rehearsed: Rehearsed) -> dict[str, Any]:
    """What `etl preview --json` prints."""
    items = [Later(partial(_outcome, each)) for each in rehearsed.outcomes]
    return _summary(rehearsed) | {"items": items, "items_left_out": rehearsed.not_kept}


def run_document(rehearsed: RehearsedRun) -> dict[str, Any]:
    """What `etl preview --run RUN --json` prints; ``differences`` is null when there is nothing to compare with."""
    return _summary(rehearsed) | {
        "run": rehearsed.run.id,
        "complete": rehearsed.complete,
        "rejected_then": [each.document() for each in rehearsed.aside_then.reasons()],
        "differences": rehearsed.comparison.document() if rehearsed.comparison else None,
    }


def _summary(rehearsed: Rehearsed) -> dict[str, Any]:
    return {
        "window": {"start": rehearsed.run.start, "end": rehearsed.run.end},
        "counts": {
            "items": rehearsed.items,
            "records": rehearsed.records,
            "dropped": rehearsed.dropped,
            "ahead": rehearsed.ahead,
            "untimed": rehearsed.aside.untimed,
            "rejected": rehearsed.aside.rejected,
        },
        "rejected": [each.document() for each in rehearsed.aside.reasons()],
        "aggregates": rehearsed.aggregates,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "outcome": outcome.fate,
        "reason": outcome.reason._asdict() if outcome.reason else None,
        "item": Later(lambda: outcome.item),
        "records": [Later(partial(_record, outcome, record)) for record in outcome.records],
    }


def _record(outcome: Outcome, line: bytes) -> dict[str, Any]:
    item, record = before_and_after(outcome.line, line)
    found = changes(item, record)
    told = [_change(change) for change in islice(found, MOST_CHANGES)]
    return {"record": record, "changes": told, "changes_left_out": sum(1 for _ in found)}


def _change(change: Change) -> dict[str, Any]:
    return {"path": change.path, "mark": change.mark, "before": change.before, "after": change.after}
