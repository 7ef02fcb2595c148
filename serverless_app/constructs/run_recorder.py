"""The state machine that records the end of a run if the run can't record it itself."""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from etl.model.names import Names
from etl.model.stages import MAPS, STATES
from etl.model.statuses import ABORTED, FAILED, STATUSES, TIMED_OUT
from serverless_app.constructs.log_group import workflow_logging
from serverless_app.constructs.run_events import announce_failure
from serverless_app.constructs.run_ledger import RECORDED, RunLedger
from serverless_app.constructs.service_role import rule_role, state_machine_role
from serverless_app.settings import PipelineSettings

# Statuses of an execution that ended without success.
_FAILURES = [FAILED, TIMED_OUT, ABORTED]


class RunRecorder(Construct):
    """The state machine ``etl-pipeline-recorder``, which records runs that were stopped, timed out or failed unhandled.

    A rule on Step Functions' own events starts it, and it needs no function. It announces each end that it records. A
    run that recorded its own end has announced it too.

    Attributes:
        state_machine: the recorder.

    Args:
        ledger: the ledger to write to.
        state_machine: the pipeline's state machine.
        dead_letters: queue of the events that could not start the recorder.
        settings: the pipeline's settings.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        ledger: RunLedger,
        state_machine: sfn.StateMachine,
        dead_letters: sqs.IQueue,
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names = names = settings.names
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=names.recorder,
            role=state_machine_role(self, names.recorder),
            comment="Records and announces the end of a run that the run could not record itself.",
            definition_body=sfn.DefinitionBody.from_chainable(self._find_stage(self._record(ledger))),
            query_language=sfn.QueryLanguage.JSONATA,
            timeout=Duration.minutes(5),
            tracing_enabled=True,
            logs=workflow_logging(self, names.recorder, settings),
        )
        events.Rule(
            self,
            "Ended",
            rule_name=names.ended_rule,
            description="Records runs that were stopped, timed out, or failed outside of any Catch",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    # Only the runs themselves: children of a Distributed Map belong to etl-pipeline/Extract and so on.
                    "stateMachineArn": [state_machine.state_machine_arn],
                    "status": _FAILURES,
                },
            ),
            targets=[
                targets.SfnStateMachine(
                    self.state_machine, role=rule_role(self, names.ended_rule), dead_letter_queue=dead_letters
                )
            ],
        )

    def _find_stage(self, record: sfn.TaskStateBase) -> sfn.IChainable:
        """Make the state that finds the stage at which the run ended. Without an answer the stage is unknown."""
        executions = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self._names.state_machine}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        state = tasks.CallAwsService.jsonata(
            self,
            "FindStage",
            state_name="FindStage",
            service="sfn",
            action="getExecutionHistory",
            iam_action="states:GetExecutionHistory",
            iam_resources=[executions],
            parameters={
                "ExecutionArn": "{% $states.input.detail.executionArn %}",
                "ReverseOrder": True,
                "MaxResults": _EVENTS,
                "IncludeExecutionData": False,
            },
            outputs=f"{{% $merge([$states.input, {{'stage': {_last_stage(self._names)}}}]) %}}",
        )
        state.add_retry(errors=[sfn.Errors.ALL], interval=Duration.seconds(1), max_attempts=4, backoff_rate=2)
        state.add_catch(record, errors=[sfn.Errors.ALL], outputs="{% $states.input %}")
        return state.next(record)

    def _record(self, ledger: RunLedger) -> sfn.TaskStateBase:
        """Make the state that records the end."""
        detail = "$states.input.detail"
        record = ledger.record(
            self,
            "Record",
            {
                "name": f"{detail}.name",
                "execution": f"{detail}.executionArn",
                "status": f"{detail}.status",
                "stage": "$exists($states.input.stage) ? $states.input.stage : 'unknown'",
                "error": f"$type({detail}.error) = 'string' ? {detail}.error : {detail}.status",
                "cause": f"$type({detail}.cause) = 'string' ? {detail}.cause : $lookup({_CAUSES}, {detail}.status)",
                "started": f"$fromMillis({detail}.startDate)",
                "finished": f"$fromMillis({detail}.stopDate)",
            },
            # A failure that the run recorded itself says more, unless the run was redriven and ended differently.
            keep=["'SUCCEEDED'", f"{detail}.status = 'FAILED' ? 'FAILED' : 'SUCCEEDED'"],
            comment="Write how the run ended, unless the ledger has it",
        )
        known = sfn.Succeed(self, "Known", state_name="Known", comment="The run recorded its end itself")
        record.add_catch(known, errors=[RECORDED])
        record.next(announce_failure(self, "Announce", self._names))
        return record


# A state takes 256 KiB, and no Catch handles a larger answer. An event without data has 300 to 700 bytes, since the
# name of a state has at most 80 characters. So many events always fit.
_EVENTS = 300
# A worker's states are named after their Map: ExtractSegment, ExtractSegmentEnd.
_ENTERED = "$states.result.Events.StateEnteredEventDetails.($substringBefore(Name, 'Segment'))"
_STAGES = f"({_ENTERED})[$ in [{', '.join(repr(name) for name in STATES)}]]"
# Workers that wait for room in Lambda fill the last events with their retries, which enter no state. Then the function
# shows the stage, nearly always its Map: the other stages have one worker.
_CALLED = (
    "$states.result.Events.LambdaFunctionScheduledEventDetails.$lookup({}, $substringAfter(Resource, ':function:'))"
)


def _last_stage(names: Names) -> str:
    functions = {names.function(stage.function): stage.state for stage in MAPS}
    return f"[{_STAGES}, {_CALLED.format(functions)}][0]"


# The causes that Step Functions leaves out. The remedies are in etl.model.remedies.
_CAUSES = f"{{{', '.join(f'{name!r}: {STATUSES[name].cause!r}' for name in (ABORTED, TIMED_OUT, FAILED))}}}"
