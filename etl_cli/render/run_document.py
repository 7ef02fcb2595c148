"""Runs for programs: the JSON documents of `etl runs`, `show`, `run`, `watch` and `report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl.model.counts import rejected
from etl.model.instants import format_instant
from etl_cli.runs.failure import Failure, read_cause
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.summary.balance import BalanceLine
from etl_cli.summary.contents import Sample
from etl_cli.summary.run_summary import Account, RunSummary
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Lazy


def entry_document(entry: LedgerEntry) -> dict[str, Any]:
    """A run by the ledger, as `etl runs --json` lists it. Unknown facts are null or empty."""
    failure = {"stage": entry.stage, "error": entry.error, "cause": read_cause(entry.cause)[0]}
    return {
        "run": entry.run or None,
        "name": entry.name,
        "execution": entry.execution,
        "status": entry.status,
        "window": entry.window.document() if entry.window else None,
        "started": _instant(entry.started),
        "finished": _instant(entry.finished),
        "seconds": entry.seconds,
        "segments": entry.segments or None,
        "counts": entry.counts,
        "failure": failure if entry.error else None,
        "replay_of": entry.replay or None,
        "replayed": entry.replayed or None,
    }


def show_document(summary: RunSummary, account: Account) -> dict[str, Any]:
    """A run with its stages and its cost, as `etl show --json` prints it."""
    failure, timeline = summary.failure, summary.timeline
    document = entry_document(summary.entry) | {"status": summary.status}
    if failure:
        document["failure"] = {
            "stage": failure.stage,
            "error": failure.error,
            "cause": failure.message,
            "where": failure.where,
            "remedy": failure.remedy,
            "missing": [span.document() for span in account.missing],
        }
    return document | {
        "stages": {name: stage.seconds for name, stage in timeline.stages.items()} if timeline else None,
        "balance": _balance(summary.balance) if summary.succeeded else None,
        "cost": account.cost.document(),
        "predicted_cost": account.predicted.document() if account.predicted else None,
        "links": account.links,
    }


def report_document(summary: RunSummary, verified: Verified | None = None) -> dict[str, Any]:
    """A run that succeeded with its contents, as `etl run`, `watch` and `report` print it with --json.

    Numbers with a fraction are texts, so that no digit is lost. Items are DynamoDB JSON, binaries in base64.
    """
    entry, contents = entry_document(summary.entry), summary.contents
    sample = contents.sample
    document = {
        "status": "success",
        **{name: entry[name] for name in ("execution", "run", "window", "counts")},
        "keys": contents.keys,
        "stages": summary.stage_seconds,
        "seconds": summary.seconds or 0.0,
        "quarantine": contents.quarantine,
        "rejections": [asdict(each) for each in contents.rejections],
        "rejections_cut": contents.is_cut,
        "aggregates": contents.aggregates,
        "sample": Lazy(lambda: _sample(sample)) if sample else None,
        "replay": summary.entry.replay,
        "left_out": next(iter(contents.notes), None),
        "rejected": rejected(summary.counts),
        "balance": _balance(summary.balance),
        "verified": asdict(verified) if verified else None,
    }
    return {name: _plain(value) for name, value in document.items()}


def failure_document(failure: Failure) -> dict[str, Any]:
    """A run that failed, as `etl run`, `watch` and `report` print it with --json."""
    return asdict(failure) | {"status": "failed", "execution_status": failure.status}


def _balance(lines: Sequence[BalanceLine]) -> list[dict[str, Any]]:
    return [asdict(line) | {"holds": line.holds} for line in lines]


def _sample(sample: Sample) -> dict[str, Any]:
    before, after = sample.sides()
    return {"key": sample.key, "before": before, "after": after}


def _instant(instant: datetime | None) -> str | None:
    return format_instant(instant.replace(microsecond=0)) if instant else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and "E" not in str(value) else str(value)
    return value
