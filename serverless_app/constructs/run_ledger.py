"""The run ledger: its table, and the states that write into it how a run failed."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

# The entry has a status that it keeps.
RECORDED = "DynamoDB.ConditionalCheckFailedException"

# A state that fails leaves its error under its own name, so that who comes behind it knows which it was. What an
# input may have there stands before it.
FAILED_STATE = "$keys($states.input.failure)[-1]"
FAILURE = f"$lookup($states.input.failure, {FAILED_STATE})"

# What the functions write of a run is described in runtime/etl/ledger.py.
_UPDATE = (
    "SET #status = :status, #stage = :stage, #error = :error, #cause = :cause, #finished = :finished, "
    "#execution = if_not_exists(#execution, :execution), #started = if_not_exists(#started, :started)"
)
_NAMES = {
    "#status": "status",
    "#stage": "stage",
    "#error": "error",
    "#cause": "cause",
    "#finished": "finished_at",
    "#execution": "execution",
    "#started": "started_at",
}


class RunLedger(Construct):
    """The table ``etl-run-ledger``: an entry for each execution, and the watermark.

    Args:
        removal_policy: what becomes of the table when the stack is destroyed.
    """

    def __init__(self, scope: Construct, construct_id: str, *, removal_policy: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name="etl-run-ledger",
            partition_key=dynamodb.Attribute(name="kind", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.DEFAULT,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=removal_policy,
        )

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
        """Make a state that writes the end of a run into its entry, or makes the entry.

        Its output is ``end``: the same values, and the run and its window if the entry has them.

        Args:
            scope: the state's scope.
            name: the state's name.
            values: JSONata expressions for ``name`` and ``execution`` of the execution, ``status``, ``stage``,
                ``error``, ``cause``, ``started`` and ``finished``; each gives a string.
            keep: JSONata expressions for statuses; an entry that has one of them stays as it is.
            comment: what the state is for.
            outputs: what the state passes on beside that.
        """
        kept = {f"kept{number}": status for number, status in enumerate(keep)}
        filled = {name: _text(f"{{% {expression} %}}") for name, expression in {**values, **kept}.items()}
        key = {"kind": _text("run"), "id": filled.pop("name")}
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


# JSONata leaves out what is not there.
_RUN_OF_ENTRY = (
    "$states.result.Attributes.{'run': run.S, 'replay': replay.S, "
    "'window': $exists(window_start) ? {'start': window_start.S, 'end': window_end.S}}"
)


def run_end(values: Mapping[str, str], more: str = "{}") -> str:
    """Make the JSONata expression of how a run ended.

    Args:
        values: as ``RunLedger.record`` gets them.
        more: an expression for an object with more of the run.
    """
    names = {each: each for each in ("execution", "status", "stage", "error", "cause")}
    names |= {"started_at": "started", "finished_at": "finished"}
    told = ", ".join(f"'{name}': {values[value]}" for name, value in names.items())
    return f"{{% $merge([{{{told}}}, {more}]) %}}"


def _text(value: str) -> tasks.DynamoAttributeValue:
    return tasks.DynamoAttributeValue.from_string(value)
