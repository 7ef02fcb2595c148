"""The run ledger: an entry for each execution, and the watermark. It outlives the staged objects.

Its fields are in ``model/ledger_fields.py``.
The state machine records failures itself, so they are recorded even when a function broke.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from etl.model import ledger_fields as fields
from etl.model.counts import OUTCOMES
from etl.model.errors import TransientError
from etl.model.instants import format_instant
from etl.model.ledger_rows import instant_in, position_in
from etl.model.run import Replayed, Run
from etl.model.statuses import RUNNING, SUCCEEDED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONDITION_FAILED = "ConditionalCheckFailed"


class RunEnd(NamedTuple):
    """The end of a run by its entry: text is empty, and a time None, where the entry has none."""

    status: str
    stage: str
    finished_at: datetime | None


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
        """The watermark; None before the first scheduled run.

        Raises:
            ConfigurationError: the row was changed.
        """
        answer = self._dynamodb.get_item(TableName=self._table, Key=fields.WATERMARK_KEY, ConsistentRead=True)
        item = answer.get("Item")
        return position_in(item, fields.END, self._table) if item else None

    def end_of(self, run: Run) -> RunEnd | None:
        """The end of a run; None if it has no entry.

        Raises:
            ConfigurationError: the entry was changed.
        """
        answer = self._dynamodb.get_item(TableName=self._table, Key=fields.run_key(run.execution), ConsistentRead=True)
        item = answer.get("Item")
        if not item:
            return None
        status, stage = (str(item.get(name, {}).get("S", "")) for name in (fields.STATUS, fields.STAGE))
        ended = instant_in(item, fields.FINISHED_AT, self._table) if fields.FINISHED_AT in item else None
        return RunEnd(status, stage, ended)

    def begin(self, run: Run, first_watermark: datetime | None = None, started_by: str = "execution") -> None:
        """Write a run's entry. A retry writes the same entry again, and never reopens a run that succeeded.

        Args:
            run: the run.
            first_watermark: the first position of the watermark, if there is none yet; None for a run that the schedule
                didn't start.
            started_by: ``schedule``, ``event`` or ``execution``.
        """
        entry = {
            **fields.run_key(run.execution),
            fields.STATUS: {"S": RUNNING},
            fields.RUN: {"S": run.id},
            fields.EXECUTION: {"S": run.execution},
            fields.WINDOW_START: {"S": run.start},
            fields.WINDOW_END: {"S": run.end},
            fields.STARTED_AT: {"S": run.time},
            fields.SEGMENTS: {"N": str(run.segments)},
            fields.ORIGIN: {"S": started_by},
        }
        if run.replay:
            entry[fields.REPLAY] = {"S": run.replay.run}
        self._put(
            Item=entry,
            # An invocation that Step Functions gave up may still be at work after its run has ended.
            ConditionExpression="attribute_not_exists(#id) OR #status <> :succeeded OR #run <> :run",
            ExpressionAttributeNames=fields.placeholders(fields.ID, fields.STATUS, fields.RUN),
            ExpressionAttributeValues={":succeeded": {"S": SUCCEEDED}, ":run": {"S": run.id}},
        )
        if first_watermark is not None:
            end = {"S": format_instant(first_watermark)}
            self._put(
                Item={**fields.WATERMARK_KEY, fields.SINCE: end, fields.END: end},
                ConditionExpression="attribute_not_exists(#id)",
                ExpressionAttributeNames=fields.placeholders(fields.ID),
            )

    def _put(self, **item: Any) -> None:
        """Put an item if its condition is met."""
        try:
            self._dynamodb.put_item(TableName=self._table, **item)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def succeed(self, run: Run, counts: dict[str, int], finished_at: str) -> None:
        """Close a run's entry, and move the watermark to the end of its window if that leaves no gap.

        Both writes succeed or neither, so the watermark is never ahead of the entries. A replay covers no period. It is
        noted in the entry of the replayed run instead.

        Args:
            run: the run, proven complete.
            counts: its counts, by name.
            finished_at: the time of its end, as text.
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
                raise TransientError(f"run {run.id}: another run is writing to the ledger: {reasons}") from error
            self._dynamodb.update_item(**closed)

    def _closed(self, run: Run, counts: dict[str, int], finished_at: str) -> Any:
        return {
            "TableName": self._table,
            "Key": fields.run_key(run.execution),
            # The entry of a run that failed and was redriven has its failure.
            "UpdateExpression": (
                "SET #status = :status, #finished_at = :finished_at, #counts = :counts REMOVE #error, #cause, #stage"
            ),
            "ExpressionAttributeNames": fields.placeholders(
                fields.STATUS, fields.FINISHED_AT, fields.COUNTS, fields.ERROR, fields.CAUSE, fields.STAGE
            ),
            "ExpressionAttributeValues": {
                ":status": {"S": SUCCEEDED},
                ":finished_at": {"S": finished_at},
                ":counts": {"M": {name: {"N": str(count)} for name, count in counts.items()}},
            },
        }

    def _moved(self, run: Run) -> Any:
        """The watermark's step to the end of the window: only from within the window, and never back.

        Instants in the ledger are whole seconds in UTC, so they sort as text.
        """
        return {
            "TableName": self._table,
            "Key": fields.WATERMARK_KEY,
            "UpdateExpression": "SET #end = :end, #run = :run",
            "ConditionExpression": "#end >= :start AND #end < :end",
            "ExpressionAttributeNames": fields.placeholders(fields.END, fields.RUN),
            "ExpressionAttributeValues": {
                ":start": {"S": run.start},
                ":end": {"S": run.end},
                ":run": {"S": run.id},
            },
        }

    def _replayed(self, run: Run, replayed: Replayed, counts: dict[str, int], finished_at: str) -> Any:
        """The note about the latest replay in the entry of the replayed run, if that still has an entry."""
        noted = {name: {"N": str(counts.get(name, 0))} for name in OUTCOMES}
        return {
            "TableName": self._table,
            "Key": fields.run_key(replayed.execution),
            "UpdateExpression": "SET #replayed = :replayed",
            "ConditionExpression": "attribute_exists(#id)",
            "ExpressionAttributeNames": fields.placeholders(fields.REPLAYED, fields.ID),
            "ExpressionAttributeValues": {
                ":replayed": {"M": {fields.RUN: {"S": run.id}, fields.FINISHED_AT: {"S": finished_at}, **noted}}
            },
        }
