"""The run ledger: an entry for each execution, and the watermark. It outlives what is staged.

The table has the keys ``kind`` and ``id``:

=============  ==================  ===========================================================================
``kind``       ``id``              what
=============  ==================  ===========================================================================
``run``        execution's name    ``status`` RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; ``run``, its
                                   timestamp; ``execution``, its ARN; ``window_start``, ``window_end``,
                                   ``started_at``, ``finished_at``, ``segments``; ``counts``; ``error``,
                                   ``cause`` and ``stage`` of a failure; ``replay``, the run whose quarantine it
                                   takes up; ``replayed``, the run that took up its own, and what became of it;
                                   ``origin``: ``schedule`` if it was given no window of its own, else ``event`` or
                                   ``execution``, whichever asked for its window or replay
``watermark``  ``watermark``       ``end``: every instant from ``since``, where the first scheduled run's day
                                   begins, up to it lies in a window that was loaded; ``run``, which moved it there
=============  ==================  ===========================================================================

How a run failed is written by the state machine, so that it is written when a function is what broke.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from etl.model.errors import TransientError
from etl.model.run import Replayed, Run
from etl.model.windows import format_instant, parse_instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WATERMARK = {"kind": {"S": "watermark"}, "id": {"S": "watermark"}}
_CONDITION_FAILED = "ConditionalCheckFailed"
# What became of the quarantined records of a run that was replayed.
_NOTED = ("read", "left", "dropped", "ahead", "untimed", "loaded", "superseded", "rejected_transform", "rejected_load")


class Ending(NamedTuple):
    """How a run has ended, as its entry says it: text, empty where it doesn't."""

    status: str
    finished_at: str
    stage: str


class Ledger:
    """The table ``etl-run-ledger``.

    Args:
        dynamodb: client of DynamoDB.
        table: name of the table.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def watermark(self) -> datetime | None:
        """The watermark; None before the first scheduled run."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_WATERMARK, ConsistentRead=True)
        item = answer.get("Item")
        return parse_instant("watermark", item["end"]["S"]) if item else None

    def ending(self, run: Run) -> Ending | None:
        """How a run has ended; None when it has no entry."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_key(run.execution), ConsistentRead=True)
        item = answer.get("Item")
        return Ending(*(item.get(name, {"S": ""})["S"] for name in Ending._fields)) if item else None

    def begin(self, run: Run, first_watermark: datetime | None = None, origin: str = "execution") -> None:
        """Write a run's entry. Doing it again, as a retry does, writes the same, and never opens what has succeeded.

        Args:
            run: the run.
            first_watermark: where the watermark starts if there is none yet: from there on nothing may be missing.
                None for a run that isn't one of the schedule's.
            origin: ``schedule``, ``event`` or ``execution``.
        """
        entry = {
            **_key(run.execution),
            "status": {"S": "RUNNING"},
            "run": {"S": run.id},
            "execution": {"S": run.execution},
            "window_start": {"S": run.start},
            "window_end": {"S": run.end},
            "started_at": {"S": run.time},
            "segments": {"N": str(run.segments)},
            "origin": {"S": origin},
        }
        if run.replay:
            entry["replay"] = {"S": run.replay.run}
        self._put(
            Item=entry,
            # An invocation that Step Functions has given up can still be at work when its run has ended.
            ConditionExpression="attribute_not_exists(#id) OR #status <> :succeeded OR #run <> :run",
            ExpressionAttributeNames={"#id": "id", "#status": "status", "#run": "run"},
            ExpressionAttributeValues={":succeeded": {"S": "SUCCEEDED"}, ":run": {"S": run.id}},
        )
        if first_watermark is not None:
            end = {"S": format_instant(first_watermark)}
            self._put(
                Item={**_WATERMARK, "since": end, "end": end},
                ConditionExpression="attribute_not_exists(#id)",
                ExpressionAttributeNames={"#id": "id"},
            )

    def _put(self, **item: Any) -> None:
        """Put an item if its condition holds."""
        try:
            self._dynamodb.put_item(TableName=self._table, **item)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def succeed(self, run: Run, counts: dict[str, int], finished_at: str) -> None:
        """Close a run's entry, and move the watermark to its window's end if nothing before it is missing then.

        Both or neither: the watermark is never ahead of the entries. A replay, which covers no time, is noted in the
        entry of the run whose quarantine it took up instead.

        Args:
            run: the run, proven complete.
            counts: what it counted, by name.
            finished_at: when, as text.
        """
        closed = self._closed(run, counts, finished_at)
        second = self._replayed(run, run.replay, counts, finished_at) if run.replay else self._moved(run)
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"Update": closed}, {"Update": second}])
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            if reasons[-1:] != [_CONDITION_FAILED]:
                raise TransientError(f"run {run.id}: the ledger is being written by another run: {reasons}") from error
            self._dynamodb.update_item(**closed)

    def _closed(self, run: Run, counts: dict[str, int], finished_at: str) -> Any:
        return {
            "TableName": self._table,
            "Key": _key(run.execution),
            # A run that failed and was redriven has a failure in its entry.
            "UpdateExpression": (
                "SET #status = :status, #finished = :finished, #counts = :counts REMOVE #error, #cause, #stage"
            ),
            "ExpressionAttributeNames": {
                "#status": "status",
                "#finished": "finished_at",
                "#counts": "counts",
                "#error": "error",
                "#cause": "cause",
                "#stage": "stage",
            },
            "ExpressionAttributeValues": {
                ":status": {"S": "SUCCEEDED"},
                ":finished": {"S": finished_at},
                ":counts": {"M": {name: {"N": str(count)} for name, count in counts.items()}},
            },
        }

    def _moved(self, run: Run) -> Any:
        """The watermark's step to the window's end: only from within the window, and never back.

        Instants of the ledger are whole seconds in UTC, and sort as text.
        """
        return {
            "TableName": self._table,
            "Key": _WATERMARK,
            "UpdateExpression": "SET #end = :end, #run = :run",
            "ConditionExpression": "#end >= :start AND #end < :end",
            "ExpressionAttributeNames": {"#end": "end", "#run": "run"},
            "ExpressionAttributeValues": {
                ":start": {"S": run.start},
                ":end": {"S": run.end},
                ":run": {"S": run.id},
            },
        }

    def _replayed(self, run: Run, replayed: Replayed, counts: dict[str, int], finished_at: str) -> Any:
        """The note in the entry of the run that was replayed, if it still has one: the latest replay's."""
        noted = {name: {"N": str(counts.get(name, 0))} for name in _NOTED}
        return {
            "TableName": self._table,
            "Key": _key(replayed.execution),
            "UpdateExpression": "SET #replayed = :replayed",
            "ConditionExpression": "attribute_exists(#id)",
            "ExpressionAttributeNames": {"#replayed": "replayed", "#id": "id"},
            "ExpressionAttributeValues": {
                ":replayed": {"M": {"run": {"S": run.id}, "finished_at": {"S": finished_at}, **noted}}
            },
        }


def _key(execution: str) -> dict[str, Any]:
    return {"kind": {"S": "run"}, "id": {"S": execution.rpartition(":")[2]}}
