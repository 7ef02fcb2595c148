"""A request belongs to the state whose work it is."""

from __future__ import annotations

import pytest

from tests.faults.injection import Call

RUN = "/etl-staging/quarantine/20261130T063525721Z"


@pytest.mark.parametrize(
    ("function", "operation", "state"),
    [
        ("etl-extract", "GetItem", "Plan"),
        ("etl-extract", "PUT /etl-staging/extract/20261130T063525721Z/data.json", "Extract"),
        ("etl-transform", f"PUT {RUN}/transform-0000-0000.json", "Transform"),
        ("etl-transform", f"GET {RUN}/transform-0000-0000.json", "Gate"),
        ("etl-transform", f"GET {RUN.replace('quarantine', 'seals/quarantine')}/transform-0000-0000.json", "Gate"),
        ("etl-transform", "GET /etl-staging/transform/20261130T063525721Z/partials/0000-0000.json", "Gate"),
        ("etl-load", "BatchWriteItem", "Load"),
        ("etl-load", f"PUT {RUN}/load-0000-0000.json", "Load"),
        ("etl-load", f"GET {RUN}/load-0000-0000.json", "Finish"),
        ("etl-load", f"GET {RUN.replace('quarantine', 'seals/quarantine')}/load-0000-0000.json", "Finish"),
        ("etl-load", f"GET {RUN}/transform-0000-0000.json", "Finish"),
        ("etl-load", "GET /etl-staging/transform/20261130T063525721Z/aggregates.json", "Finish"),
        ("etl-load", "GET /etl-staging/transform/20261130T063525721Z/data.json", "Load"),
        ("etl-load", "TransactWriteItems", "Finish"),
    ],
)
def test_a_request_is_told_to_be_of_its_state(function: str, operation: str, state: str) -> None:
    assert Call(function, "S3", operation).state == state
