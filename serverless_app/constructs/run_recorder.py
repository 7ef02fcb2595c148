"""Records the ends of runs that no state of the run can record."""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from serverless_app.constructs.run_events import announce_failure
from serverless_app.constructs.run_ledger import RECORDED, RunLedger
from serverless_app.constructs.service_role import rule_role, state_machine_role
from serverless_app.constructs.workflow import STATES, workflow_logging
from serverless_app.settings import PipelineSettings

_NAME = "etl-pipeline-recorder"
_RULE = "etl-pipeline-ended"


class RunRecorder(Construct):
    """Records the ends of runs that no state of the run can record: stopped, out of time, a fault of the workflow.

    A rule on Step Functions' own events starts a small state machine, which needs no function. What it records, it
    announces; a run that has recorded its end has announced it.

    Attributes:
        state_machine: the small one.

    Args:
        ledger: where to.
        state_machine: the pipeline's.
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
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=_NAME,
            role=state_machine_role(self, _NAME),
            comment="Writes the end of a run into the ledger that the run could not write itself, and tells of it.",
            definition_body=sfn.DefinitionBody.from_chainable(self._find_stage(self._record(ledger))),
            query_language=sfn.QueryLanguage.JSONATA,
            timeout=Duration.minutes(5),
            tracing_enabled=True,
            logs=workflow_logging(self, _NAME, settings),
        )
        events.Rule(
            self,
            "Ended",
            rule_name=_RULE,
            description="Records runs that were stopped, ran out of time or failed where no Catch could help",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    # Exactly this one: the children of a Distributed Map belong to etl-pipeline/Extract and so on.
                    "stateMachineArn": [state_machine.state_machine_arn],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
            targets=[
                targets.SfnStateMachine(self.state_machine, role=rule_role(self, _RULE), dead_letter_queue=dead_letters)
            ],
        )

    def _find_stage(self, record: sfn.TaskStateBase) -> sfn.IChainable:
        """Make the state that reads how far the run came; without an answer the stage is unknown."""
        executions = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name="etl-pipeline:*",
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
            outputs=f"{{% $merge([$states.input, {{'stage': {_LAST_STAGE}}}]) %}}",
        )
        state.add_retry(errors=[sfn.Errors.ALL], interval=Duration.seconds(1), max_attempts=4, backoff_rate=2)
        state.add_catch(record, errors=[sfn.Errors.ALL], outputs="{% $states.input %}")
        return state.next(record)

    def _record(self, ledger: RunLedger) -> sfn.TaskStateBase:
        """Make the state that writes."""
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
            # A failure that the run recorded itself says more, unless it was redriven and came to another end.
            keep=["'SUCCEEDED'", f"{detail}.status = 'FAILED' ? 'FAILED' : 'SUCCEEDED'"],
            comment="Write how the run ended, unless that is known",
        )
        known = sfn.Succeed(self, "Known", state_name="Known", comment="The run has recorded it itself")
        record.add_catch(known, errors=[RECORDED])
        record.next(announce_failure(self, "Announce"))
        return record


# A state takes 256 KiB, and more than that can't be caught. An event without data has 300 to 700 bytes (a name of a
# state is at most 80 characters long), so that so many fit whatever they are.
_EVENTS = 300
# A worker's states are named after their Map: ExtractSegment, ExtractSegmentEnd.
_ENTERED = "$states.result.Events.StateEnteredEventDetails.($substringBefore(Name, 'Segment'))"
_STAGES = f"({_ENTERED})[$ in [{', '.join(repr(name) for name in STATES)}]]"
# Workers that wait for a place of Lambda's fill the last events with their retries, which enter no state. Then it is
# nearly always a Map, which is called as its function is: Plan, Gate and Finish have one worker.
_FUNCTIONS = {f"etl-{name.lower()}": name for name in ("Extract", "Transform", "Load")}
_CALLED = (
    "$states.result.Events.LambdaFunctionScheduledEventDetails"
    f".$lookup({_FUNCTIONS}, $substringAfter(Resource, ':function:'))"
)
_LAST_STAGE = f"[{_STAGES}, {_CALLED}][0]"

# What the events leave open.
_AGAIN = "The next scheduled run covers its window; a backfill has to be started again."
_CAUSES = (
    f"{{'ABORTED': 'The run was stopped. {_AGAIN}', "
    f"'TIMED_OUT': 'The run took longer than the state machine allows: docs/scaling.md says what to raise. {_AGAIN}', "
    f"'FAILED': 'The workflow itself failed: look at the history of the execution. {_AGAIN}'}}"
)
