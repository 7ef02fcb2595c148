"""A listener to the ends of runs: a rule that puts the pipeline's events into a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from etl_cli.local.clients import Clients
from tests.pipeline.pipeline import wait_for

_NAME = "listening"


class Listener:
    """The events that have come; others' may be among them."""

    def __init__(self, clients: Clients) -> None:
        self._sqs = clients.session.client("sqs", **clients.options)
        self.queue = self._sqs.create_queue(QueueName=_NAME)["QueueUrl"]
        self._heard: list[dict[str, Any]] = []

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        asked = self._sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        return str(asked["Attributes"]["QueueArn"])

    def of(self, execution: str) -> list[dict[str, Any]]:
        """The events of an execution so far."""
        while found := self._sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self._heard.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self._heard if event["detail"]["execution"] == execution]

    def one(self, execution: str) -> dict[str, Any]:
        """The one event of an execution, once it has come."""
        [found] = wait_for(f"an event of {execution}", lambda: self.of(execution), 10)
        return found

    def close(self) -> None:
        """Remove the queue."""
        self._sqs.delete_queue(QueueUrl=self.queue)


@contextmanager
def listening(clients: Clients) -> Iterator[Listener]:
    """Listen to the ends of runs."""
    listener = Listener(clients)
    clients.events.put_rule(Name=_NAME, EventPattern=json.dumps({"source": ["etl-pipeline"]}))
    clients.events.put_targets(Rule=_NAME, Targets=[{"Id": "queue", "Arn": listener.arn}])
    try:
        yield listener
    finally:
        clients.events.remove_targets(Rule=_NAME, Ids=["queue"])
        clients.events.delete_rule(Name=_NAME)
        listener.close()
