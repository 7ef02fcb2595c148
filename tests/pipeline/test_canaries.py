"""A record's contents and names are in quarantine alone: not in the cause, the ledger or the log of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipeline.execution import Window
from tests.pipeline.interposer import Answer, Request, dynamodb_error
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline

FUNCTIONS = ("etl-extract", "etl-transform", "etl-load")


def kept(pipeline: Pipeline, arn: str) -> str:
    """Everything that is kept of an execution: Step Functions' record, the ledger's entry, the functions' logs."""
    clients = pipeline.clients
    texts: list[Any] = [clients.stepfunctions.describe_execution(executionArn=arn), pipeline.history(arn)]
    texts.append(Ledger(pipeline).entry(arn))
    for function in FUNCTIONS:
        pages = clients.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        texts += [event["message"] for page in pages for event in page["events"]]
    return json.dumps(texts, default=str)


@pytest.mark.parametrize("way", ["contract", "DynamoDB"])
def test_a_run_that_fails_tells_no_canary(pipeline: Pipeline, window: Window, way: str) -> None:
    canary = f"CANARY{window.first:%Y%m%d}"
    more = {"value": {"M": {f"{canary}-key": {"S": canary}}}} if way == "contract" else {}
    names: dict[str, Any] = {f"{canary}-{n}": {"M": {f"{canary}.{n}": {"SS": [f"{canary}-member"]}}} for n in range(2)}
    pipeline.put([pipeline.item(canary, window.at(1), name={"S": canary}, **names, **more)])

    def refuse(request: Request) -> Answer | None:
        if way == "DynamoDB" and request.operation == "BatchWriteItem":
            return dynamodb_error("SerializationException", f"unexpected {canary}")
        return request.forward()

    with pipeline.interposed("etl-load", "DYNAMODB", refuse):
        execution = pipeline.fail(window.input)

    told = kept(pipeline, execution.arn)
    assert execution.error == {"contract": "QualityGateError", "DynamoDB": "ConfigurationError"}[way]
    assert {"contract": "1 of 1 items were rejected", "DynamoDB": "refused with SerializationException"}[way] in told
    assert '\\"message\\": \\"failed\\"' in told
    assert canary not in told
