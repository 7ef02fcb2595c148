"""The report of a run, and of a failure, for programs."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from etl_cli.runs.failure import Failure
from etl_cli.summary.report import RunReport, Sample
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Later


def report_document(report: RunReport, verified: Verified | None = None) -> dict[str, Any]:
    """The report as JSON's own types.

    Numbers with a fraction are texts, so that no digit is lost; items are DynamoDB JSON, binaries in base64.
    """
    document = {
        "status": "success",
        **asdict(replace(report, sample=None)),
        "sample": Later(lambda: _sample_document(sample)) if (sample := report.sample) else None,
        "rejected": report.rejected,
        "balance": [asdict(equation) | {"holds": equation.holds} for equation in report.balance()],
        "left_out": report.left_out or None,
        "verified": asdict(verified) if verified else None,
    }
    return {name: _plain(value) for name, value in document.items()}


def _sample_document(sample: Sample) -> dict[str, Any]:
    before, after = sample.sides()
    return {"key": sample.key, "before": before, "after": after}


def failure_document(failure: Failure) -> dict[str, Any]:
    """The failure as JSON's own types."""
    return asdict(failure) | {"status": "failed", "execution_status": failure.status}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and "E" not in str(value) else str(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value
