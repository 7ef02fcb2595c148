"""The run ledger: its table, and the states that record in it how a run failed."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from etl.model import ledger_fields as fields
from etl.model.keys import KeyAttribute
from serverless_app.constructs.tables import key_table

# The error of the state that records, if the entry has a status that it must keep.
RECORDED = "DynamoDB.ConditionalCheckFailedException"

# A state that fails leaves its error under its own name, so that later states know which one failed. Keys of the
# execution's input come before it.
FAILED_STATE = "$keys($states.input.failure)[-1]"
FAILURE = f"$lookup($states.input.failure, {FAILED_STATE})"

_UPDATE = (
    "SET #status = :status, #stage = :stage, #error = :error, #cause = :cause, #finished = :finished, "
    "#execution = if_not_exists(#execution, :execution), #started = if_not_exists(#started, :started)"
)
_NAMES = {
    **fields.placeholders(fields.STATUS, fields.STAGE, fields.ERROR, fields.CAUSE),
    "#finished": fields.FINISHED_AT,
    **fields.placeholders(fields.EXECUTION),
    "#started": fields.STARTED_AT,
}


class RunLedger(Construct):
    """The table ``etl-run-ledger``: an entry for each execution, and the watermark.

    Args:
        name: the table's name.
        removal_policy: what happens to the table when the stack is destroyed.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str, removal_policy: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self.table = key_table(self, "Table", name, tuple(map(KeyAttribute, fields.KEY)), removal_policy)

    def record(
        self,
        scope: Construct,
        name: str,
        values: Mapping[str, str],
        *,
        keep: Sequence[str],
        comment: str,
        outputs: Mapping[str, str] | None = None,
    ) -> tasks.DynamoUpdateItem:
        """Make a state that writes the end of a run into its entry, or creates the entry.

        Its output ``end`` has the same values, and the run and its window if the entry has them.

        Args:
            scope: the state's scope.
            name: the state's name.
            values: JSONata expressions for ``name`` and ``execution`` of the execution, ``status``, ``stage``,
                ``error``, ``cause``, ``started`` and ``finished``; each gives a string.
            keep: JSONata expressions for statuses. An entry with one of these statuses stays unchanged.
            comment: the purpose of the state.
            outputs: more outputs of the state.
        """
        kept = {f"kept{number}": status for number, status in enumerate(keep)}
        filled = {name: _text(f"{{% {expression} %}}") for name, expression in {**values, **kept}.items()}
        key = {fields.KIND: _text(fields.OF_RUN), fields.ID: filled.pop("name")}
        any_kept = ", ".join(f":{name}" for name in kept)
        state = tasks.DynamoUpdateItem.jsonata(
            scope,
            name,
            state_name=name,
            comment=comment,
            table=self.table,
            key=key,
            update_expression=_UPDATE,
            condition_expression=f"attribute_not_exists(#status) OR NOT #status IN ({any_kept})",
            expression_attribute_names=_NAMES,
            expression_attribute_values={f":{name}": value for name, value in filled.items()},
            return_values=tasks.DynamoReturnValues.ALL_NEW,
            outputs={**(outputs or {}), "end": run_end(values, _RUN_OF_ENTRY)},
        )
        state.add_retry(errors=[RECORDED], max_attempts=0)
        state.add_retry(errors=[sfn.Errors.ALL], interval=Duration.seconds(1), max_attempts=3, backoff_rate=2)
        return state


# JSONata leaves out attributes that are missing.
_RUN_OF_ENTRY = (
    f"$states.result.Attributes.{{'run': {fields.RUN}.S, 'replay': {fields.REPLAY}.S, 'window': "
    f"$exists({fields.WINDOW_START}) ? {{'start': {fields.WINDOW_START}.S, 'end': {fields.WINDOW_END}.S}}}}"
)


def run_end(values: Mapping[str, str], more: str = "{}") -> str:
    """Make the JSONata expression that describes the end of a run.

    Args:
        values: the values that ``RunLedger.record`` gets.
        more: an expression for an object with more facts about the run.
    """
    names = {each: each for each in ("execution", "status", "stage", "error", "cause")}
    names |= {"started_at": "started", "finished_at": "finished"}
    facts = ", ".join(f"'{name}': {values[value]}" for name, value in names.items())
    return f"{{% $merge([{{{facts}}}, {more}]) %}}"


def _text(value: str) -> tasks.DynamoAttributeValue:
    return tasks.DynamoAttributeValue.from_string(value)
