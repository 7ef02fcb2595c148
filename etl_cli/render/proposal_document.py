"""The document of `etl new --json`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from etl.model.keys import keys_text
from etl.model.names import Names
from etl_cli.costs.cost import plain
from etl_cli.proposal.costs import Outlook, Outlooks
from etl_cli.proposal.cursors import Reading
from etl_cli.proposal.profile import Values
from etl_cli.proposal.proposal import Findings, Proposal
from etl_cli.proposal.sampling import TableDescription
from etl_cli.proposal.shapes import masked
from etl_cli.render.proposal import next_lines, next_lines_of
from etl_cli.terminal.etl_lines import EtlLines


def copy_document(names: Names, table: TableDescription, files: Iterable[str], etl: EtlLines) -> dict[str, Any]:
    """The same for `etl new --json`."""
    return {
        "pipeline": names.pipeline,
        "files": list(files),
        "source": _table_document(table),
        "next": next_lines(names, table, etl),
    }


def proposal_document(proposal: Proposal, costs: Outlooks, files: Iterable[str], etl: EtlLines) -> dict[str, Any]:
    """The same for `etl new --json`."""
    found, time = proposal.found, proposal.time
    return {
        "pipeline": proposal.names.pipeline,
        "files": list(files),
        "source": _table_document(found.table),
        "destination": {
            "name": proposal.destination.name if proposal.destination else None,
            "key": keys_text(proposal.destination_key),
            "lacking": [each.name for each, _ in proposal.lacking_keys],
        },
        "sample": {
            "items": len(found.sample.lines),
            "whole": found.sample.whole,
            "read_units": str(found.sample.units),
        },
        "attributes": [_attribute_document(found, path, values) for path, values in found.profile.paths()],
        "cursor": {
            "attribute": time.text if proposal.cursor else None,
            "format": time.format,
            "candidates": [_candidate_document(each, found) for each in proposal.candidates],
        },
        "types": [{"type": each.label, "attribute": each.attribute, "items": each.items} for each in found.types],
        "type": proposal.entity.label if proposal.entity else None,
        "source_read_units_per_second": proposal.read_ceiling,
        "costs": {"first": _cost_document(costs.first), "nightly": _cost_document(costs.nightly)},
        "warnings": proposal.warnings,
        "next": next_lines_of(proposal, etl),
    }


def _table_document(table: TableDescription) -> dict[str, Any]:
    return {
        "name": table.name,
        "key": keys_text(table.key),
        "items": table.items,
        "size_bytes": table.size_bytes,
        "provisioned_read_units": table.read_units,
    }


def _attribute_document(found: Findings, path: tuple[str, ...], values: Values) -> dict[str, Any]:
    return {
        "path": list(path),
        "types": dict(values.types),
        "share": round(found.profile.share(path), 4),
        "example": masked(values.example),
        "looks_like": list(found.looks_like(path, values)),
    }


def _candidate_document(reading: Reading, found: Findings) -> dict[str, Any]:
    latest = None if reading.latest is None else int(found.now.timestamp()) - reading.latest
    return {
        "attribute": reading.time.text,
        "format": reading.time.format,
        "share": round(reading.share, 4),
        "latest_seconds_ago": latest,
    }


def _cost_document(outlook: Outlook) -> dict[str, Any]:
    return {
        "items": outlook.items,
        "seconds": round(outlook.found.seconds, 1),
        "dollars": plain(outlook.cost.total),
        "prices": outlook.cost.prices.source,
    }
