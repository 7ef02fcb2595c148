"""The state machine: Plan, then Extract, Transform, Gate, Load and Finish, one after the other."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from serverless_app.constructs.failed_segment import CHILD_FAILED, FailedSegment
from serverless_app.constructs.log_group import log_group
from serverless_app.constructs.run_events import announce_failure, announce_success
from serverless_app.constructs.run_ledger import FAILED_STATE, FAILURE, RunLedger, run_end
from serverless_app.constructs.service_role import state_machine_role
from serverless_app.settings import PipelineSettings

# What passes when an invocation is run again: faults of the service, a function that ran out of time or memory, and the
# one error of the functions' own that means "later". The names are those of Lambda's task states.
TRANSIENT_ERRORS = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "TransientError",
]

# Lambda has no room to start a function: another worker may hold its place for 5 minutes, and an account may have fewer
# places than a run has workers. So this is tried again for as long as a run may last: 200 waits of 15 s on average are
# 50 minutes. In 30 minutes 40 workers try 120 times each, which is 14,400 events of the 25,000 that a history may have:
# 3 each, scheduled, started and failed. Sources: Step Functions developer guide, "Handle Lambda service exceptions",
# "Service quotas"; API reference, HistoryEvent. tests/infrastructure/test_throttled_starts.py simulates it.
NO_ROOM = "Lambda.TooManyRequestsException"
_NO_ROOM_RETRY: dict[str, Any] = {
    "interval": Duration.seconds(2),
    "max_attempts": 200,
    "backoff_rate": 2,
    "max_delay": Duration.seconds(30),
    "jitter_strategy": sfn.JitterType.FULL,
}

STATES = ("Plan", "Extract", "Transform", "Gate", "Load", "Finish")
_NAME = "etl-pipeline"


class Workflow(Construct):
    """The state machine ``etl-pipeline``.

    Extract, Transform and Load are each a Map over the run's segments. A worker that ran low on time returns a cursor
    and is called again with it, so that no table is too large for 5 minutes. With a concurrency above 40 the Maps are
    Distributed Maps: each segment is an execution of its own.

    Args:
        extract: plans the run and reads segments.
        transform: transforms segments and decides whether the run may load.
        load: loads segments and closes the run.
        ledger: where a failure is recorded.
        engine: version of the functions' code that the definition is deployed with.
        settings: the pipeline's settings.
    """

    def __init__(  # noqa: PLR0913 - each has its name at the call
        self,
        scope: Construct,
        construct_id: str,
        *,
        extract: lambda_.IFunction,
        transform: lambda_.IFunction,
        load: lambda_.IFunction,
        ledger: RunLedger,
        engine: str,
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        self._concurrency = settings.concurrency
        self._distributed = settings.distributed
        self._failed = self._record_failure(ledger)
        if self._distributed:
            self._failed_segment = FailedSegment(self, "FailedSegment", state_machine_name=_NAME, failed=self._failed)
        execution = {"id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name", "started_at.$": "$$.Execution.StartTime"}
        # An execution keeps its definition, and the functions may have got newer code: Plan compares.
        plan = {"engine": engine, "input.$": "$", "execution": execution}
        run, segments = {"run.$": "$.run"}, {"segments.$": "$.segments"}
        finish = {"gate.$": "$.gate", "finished_at.$": "$$.State.EnteredTime"}
        states = [
            self._step("Plan", extract, plan, "$", "Fix the run's window and segments"),
            self._segments("Extract", extract, "Read the segments of the source table into extract/"),
            self._segments("Transform", transform, "Transform what was extracted into transform/"),
            self._step("Gate", transform, run | segments, "$", "Stop before loading if too much was rejected"),
            self._segments("Load", load, "Write what was transformed to the destination table"),
            self._step("Finish", load, run | segments | finish, "$", "Account for every item"),
        ]
        chain = sfn.Chain.start(states[0])
        for state in states[1:]:
            chain = chain.next(state)
        chain = chain.next(self._announce_success())

        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=_NAME,
            role=state_machine_role(self, _NAME, distributed=self._distributed),
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_chainable(chain),
            comment="Copies what changed in the source table, transformed, to the destination table.",
            timeout=Duration.minutes(30),
            tracing_enabled=True,
            logs=workflow_logging(self, _NAME, settings),
        )

    def _record_failure(self, ledger: RunLedger) -> sfn.State:
        """Make the states in which a run fails: without a function, since a function may be what broke."""
        failed = sfn.Fail(
            self,
            "Failed",
            comment="The error is that of the state which failed; its cause says what to do.",
            error_path="$.failure.Error",
            cause_path="$.failure.Cause",
        )
        announce = announce_failure(self, "AnnounceFailure")
        announce.add_catch(failed, errors=[sfn.Errors.ALL], outputs="{% $states.input %}")
        announce.next(failed)
        execution = "$states.context.Execution"
        failure = {"failure": f"{{% {FAILURE} %}}"}
        values = {
            "name": f"{execution}.Name",
            "execution": f"{execution}.Id",
            "status": "'FAILED'",
            "stage": FAILED_STATE,
            "error": f"{FAILURE}.Error",
            "cause": f"$exists({FAILURE}.Cause) ? {FAILURE}.Cause : ''",
            "started": f"{execution}.StartTime",
            "finished": "$states.context.State.EnteredTime",
        }
        record = ledger.record(
            self,
            "RecordFailure",
            values,
            keep=["'SUCCEEDED'"],
            comment="Write into the ledger how the run failed",
            outputs=failure,
        )
        record.add_catch(announce, errors=[sfn.Errors.ALL], outputs={**failure, "end": run_end(values)})
        record.next(announce)
        return record

    def _announce_success(self) -> sfn.IChainable:
        """Make the states in which a run succeeds, whether or not the event can be put."""
        succeeded = sfn.Succeed(self, "Succeeded", comment="The output is the run's report")
        announce = announce_success(self)
        announce.add_catch(succeeded, errors=[sfn.Errors.ALL], outputs="{% $states.input %}")
        return announce.next(succeeded)

    def _step(
        self, name: str, function: lambda_.IFunction, payload: Mapping[str, Any], result: str, comment: str
    ) -> sfn.TaskStateBase:
        """Make a state that calls a function once with the action of its name."""
        return self._task(name, function, {"action": name.lower(), **payload}, result, comment).add_catch(
            self._failed, errors=["States.ALL"], result_path=f"$.failure.{name}"
        )

    def _segments(self, name: str, function: lambda_.IFunction, comment: str) -> sfn.MapBase:
        """Make a Map whose workers call the function until their segment is done."""
        payload = {"action": name.lower(), "run.$": "$.run", "work.$": "$.work"}
        work = self._task(f"{name}Segment", function, payload, "$.work", "Work until done or out of time")
        end = sfn.Succeed(self, f"{name}SegmentEnd", output_path="$.work")
        done = sfn.Choice(self, f"{name}SegmentDone?", comment="A worker that ran out of time goes on at its cursor")
        done.when(sfn.Condition.is_present("$.work.cursor"), work).otherwise(end)
        return self._map(name, work.next(done), comment).add_catch(
            self._failed, errors=["States.ALL"], result_path=f"$.failure.{name}"
        )

    def _map(self, name: str, worker: sfn.IChainable, comment: str) -> "sfn.Map | sfn.DistributedMap":
        """Make the Map itself: both kinds take the same items and run the same worker."""
        options: dict[str, Any] = {
            "comment": comment,
            "items_path": "$.segments",
            "item_selector": {"run.$": "$.run", "work.$": "$$.Map.Item.Value"},
            "max_concurrency": self._concurrency,
            "result_path": "$.segments",
        }
        if not self._distributed:
            return sfn.Map(self, name, **options).item_processor(worker)
        # Express executions end after 5 minutes: there would be no calling a worker again. No tolerated failures are
        # declared, so that the first stops the others.
        segments = sfn.DistributedMap(
            self, name, label=name, map_execution_type=sfn.StateMachineType.STANDARD, **options
        )
        return segments.item_processor(worker).add_catch(
            self._failed_segment.start, errors=[CHILD_FAILED], result_path=f"$.failure.{name}"
        )

    def _task(
        self, name: str, function: lambda_.IFunction, payload: Mapping[str, Any], result: str, comment: str
    ) -> sfn.TaskStateBase:
        """Make a state that calls a function, and calls it again after what passes."""
        task = tasks.LambdaInvoke(
            self,
            name,
            comment=comment,
            lambda_function=function,
            payload=sfn.TaskInput.from_object({**payload, "retry.$": "$$.State.RetryCount"}),
            payload_response_only=True,
            result_path=result,
            retry_on_service_exceptions=False,
        )
        return task.add_retry(errors=[NO_ROOM], **_NO_ROOM_RETRY).add_retry(
            errors=TRANSIENT_ERRORS,
            interval=Duration.seconds(2),
            max_attempts=6,
            backoff_rate=2,
            max_delay=Duration.seconds(60),
            jitter_strategy=sfn.JitterType.FULL,
        )


def workflow_logging(scope: Construct, name: str, settings: PipelineSettings) -> sfn.LogOptions:
    """Log every event of a state machine, but not what its states pass on, which may be anybody's input.

    Under /aws/vendedlogs/ a group needs no entry of its own in the account's resource policy, which has a limit.

    Args:
        scope: the construct that the log group belongs to.
        name: name of the state machine.
        settings: the pipeline's settings.
    """
    group = log_group(scope, f"/aws/vendedlogs/states/{name}", settings)
    return sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False)
