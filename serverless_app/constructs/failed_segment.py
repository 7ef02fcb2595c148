"""States that find the error of a Distributed Map: that of the child execution whose segment failed."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from serverless_app.constructs.run_ledger import FAILED_STATE

# An inline Map fails with its worker's own error. A Distributed Map fails with this error, and its cause is always the
# same sentence. Source: Step Functions developer guide, "Error names".
CHILD_FAILED = "States.ExceedToleratedFailureThreshold"

# The Maps run one after the other, so the newest Map Run is the one that failed.
_NEWEST = "$sort($states.result.MapRuns, function($a, $b) { $a.StartDate < $b.StartDate })[0].MapRunArn"
_UNCHANGED = "{% $states.input.failure %}"
_FOUND = (
    "{% $exists($states.result.Error) and $exists($states.result.Cause) "
    f"? {{{FAILED_STATE}: {{'Error': $states.result.Error, 'Cause': $states.result.Cause}}}} "
    ": $states.input.failure %}"
)


class FailedSegment(Construct):
    """Replaces the failure of a Distributed Map, ``$.failure.{Map}``, by the failure of its first failed child.

    If the child can't be found, ``$.failure`` stays unchanged: the execution fails either way.

    Attributes:
        start: the first of the states.

    Args:
        state_machine_name: name of the state machine that has the states.
        failed: the next state, in which the execution fails.
    """

    def __init__(self, scope: Construct, construct_id: str, *, state_machine_name: str, failed: sfn.State) -> None:
        super().__init__(scope, construct_id)
        self._name = state_machine_name
        self._failed = failed
        self.start = self._read(
            "FindMapRun",
            "listMapRuns",
            {"ExecutionArn": "{% $states.context.Execution.Id %}"},
            {"failure": _UNCHANGED, "map_run": f"{{% {_NEWEST} %}}"},
            self._arn("execution", f"{state_machine_name}:*"),
        )
        find_child = self._read(
            "FindFailedSegment",
            "listExecutions",
            {"MapRunArn": "{% $states.input.map_run %}", "StatusFilter": "FAILED", "MaxResults": 1},
            {"failure": _UNCHANGED, "segment": "{% $states.result.Executions[0].ExecutionArn %}"},
            self._arn("mapRun", f"{state_machine_name}/*:*"),
        )
        read_child = self._read(
            "ReadFailure",
            "describeExecution",
            {"ExecutionArn": "{% $states.input.segment %}"},
            {"failure": _FOUND},
            self._arn("execution", f"{state_machine_name}/*:*"),
        )
        self.start.next(find_child)
        find_child.next(read_child)
        read_child.next(failed)

    def _read(
        self, name: str, action: str, arguments: Mapping[str, Any], outputs: Mapping[str, Any], resource: str
    ) -> tasks.CallAwsService:
        """Make a state that asks Step Functions, with retries: a child's failure may take a moment to appear."""
        state = tasks.CallAwsService.jsonata(
            self,
            name,
            state_name=name,
            service="sfn",
            action=action,
            iam_action=f"states:{action[0].upper()}{action[1:]}",
            iam_resources=[resource],
            parameters=arguments,
            outputs=outputs,
        )
        state.add_retry(errors=[sfn.Errors.ALL], interval=Duration.seconds(1), max_attempts=4, backoff_rate=2)
        state.add_catch(self._failed, errors=[sfn.Errors.ALL], outputs={"failure": _UNCHANGED})
        return state

    def _arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(
            service="states", resource=resource, resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
