"""The state machine: the stages, one after the other."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from etl.model.stages import FINISH, GATE, PLAN, STAGES, Stage
from etl.model.statuses import RUN_LIMIT
from serverless_app.constructs.failed_segment import CHILD_FAILED, FailedSegment
from serverless_app.constructs.log_group import workflow_logging
from serverless_app.constructs.run_events import announce_failure, announce_success
from serverless_app.constructs.run_ledger import FAILED_STATE, FAILURE, RunLedger, run_end
from serverless_app.constructs.service_role import state_machine_role
from serverless_app.settings import PipelineSettings

# Errors that a new invocation overcomes: faults of the service, a function out of time or memory, and the functions'
# own error that means "try later". The names are those of Lambda's task states.
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
# places than a run has workers. The retries last longer than a run: 200 waits of 15 s on average are 50 minutes. In
# 30 minutes 40 workers try 120 times each. That makes 14,400 events of the 25,000 that a history may have: 3 for each
# try, scheduled, started and failed. Sources: Step Functions developer guide, "Handle Lambda service exceptions",
# "Service quotas"; API reference, HistoryEvent. tests/infrastructure/test_throttled_starts.py simulates it.
NO_ROOM = "Lambda.TooManyRequestsException"
_NO_ROOM_RETRY: dict[str, Any] = {
    "interval": Duration.seconds(2),
    "max_attempts": 200,
    "backoff_rate": 2,
    "max_delay": Duration.seconds(30),
    "jitter_strategy": sfn.JitterType.FULL,
}

_RUN, _SEGMENTS = {"run.$": "$.run"}, {"segments.$": "$.segments"}
_EXECUTION = {"id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name", "started_at.$": "$$.Execution.StartTime"}
_FINISH = {"gate.$": "$.gate", "finished_at.$": "$$.State.EnteredTime"}
# The input of each stage that is one invocation, by its action. Plan gets the engine's version as well.
_INPUTS: Mapping[str, Mapping[str, Any]] = {
    PLAN: {"input.$": "$", "execution": _EXECUTION},
    GATE: _RUN | _SEGMENTS,
    FINISH: _RUN | _SEGMENTS | _FINISH,
}


class Workflow(Construct):
    """The state machine ``etl-pipeline``.

    Extract, Transform and Load are each a Map over the run's segments. A worker that runs low on time returns a cursor
    and is called again with it, so no table is too large for 5 minutes. With a concurrency above 40 the Maps are
    Distributed Maps: each segment is an execution of its own.

    Attributes:
        state_machine: the state machine.

    Args:
        functions: the stages' functions, by their names in the table of stages.
        ledger: the table that records a failure.
        engine: version of the functions' code that is deployed with this definition.
        settings: the pipeline's settings.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[str, lambda_.IFunction],
        ledger: RunLedger,
        engine: str,
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        self._concurrency = settings.concurrency
        self._distributed = settings.distributed
        self._names = settings.names
        self._failed = self._record_failure(ledger)
        if self._distributed:
            self._failed_segment = FailedSegment(
                self, "FailedSegment", state_machine_name=self._names.state_machine, failed=self._failed
            )
        # An execution keeps its definition, while a deployment may replace the functions' code: Plan compares.
        more = {PLAN: {"engine": engine}}
        first, *others = (
            self._segments(stage) if stage.is_map else self._step(stage, more.get(stage.action, {})) for stage in STAGES
        )
        chain = sfn.Chain.start(first)
        for state in others:
            chain = chain.next(state)

        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=self._names.state_machine,
            role=state_machine_role(self, self._names.state_machine, distributed=self._distributed),
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_chainable(chain.next(self._announce_success())),
            comment="Copies the changed items of the source table, transformed, to the destination table.",
            timeout=Duration.seconds(RUN_LIMIT.total_seconds()),
            tracing_enabled=True,
            logs=workflow_logging(self, self._names.state_machine, settings),
        )

    def _record_failure(self, ledger: RunLedger) -> sfn.State:
        """Make the states in which a run fails. They use no function: a function may have caused the failure."""
        failed = sfn.Fail(
            self,
            "Failed",
            comment="The error of the state that failed. Its cause says what to do.",
            error_path="$.failure.Error",
            cause_path="$.failure.Cause",
        )
        announce = announce_failure(self, "AnnounceFailure", self._names)
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
        """Make the states in which a run succeeds, even if EventBridge refuses the event."""
        succeeded = sfn.Succeed(self, "Succeeded", comment="The output is the run's report")
        announce = announce_success(self, self._names)
        announce.add_catch(succeeded, errors=[sfn.Errors.ALL], outputs="{% $states.input %}")
        return announce.next(succeeded)

    def _step(self, stage: Stage, more: Mapping[str, Any]) -> sfn.TaskStateBase:
        """Make a state that calls the stage's function once."""
        payload = {"action": stage.action, **more, **_INPUTS[stage.action]}
        return self._task(stage, stage.state, payload, "$", stage.doing.capitalize()).add_catch(
            self._failed, errors=["States.ALL"], result_path=f"$.failure.{stage.state}"
        )

    def _segments(self, stage: Stage) -> sfn.MapBase:
        """Make a Map whose workers call the stage's function until their segment is done."""
        name = stage.state
        payload = {"action": stage.action, "run.$": "$.run", "work.$": "$.work"}
        work = self._task(stage, f"{name}Segment", payload, "$.work", "Work until done or out of time")
        end = sfn.Succeed(self, f"{name}SegmentEnd", output_path="$.work")
        done = sfn.Choice(self, f"{name}SegmentDone?", comment="A worker that ran out of time continues at its cursor")
        done.when(sfn.Condition.is_present("$.work.cursor"), work).otherwise(end)
        return self._map(stage, work.next(done)).add_catch(
            self._failed, errors=["States.ALL"], result_path=f"$.failure.{name}"
        )

    def _map(self, stage: Stage, worker: sfn.IChainable) -> "sfn.Map | sfn.DistributedMap":
        """Make the Map itself. Both kinds take the same items and run the same worker."""
        name = stage.state
        options: dict[str, Any] = {
            "comment": stage.doing.capitalize(),
            "items_path": "$.segments",
            "item_selector": {"run.$": "$.run", "work.$": "$$.Map.Item.Value"},
            "max_concurrency": self._concurrency,
            "result_path": "$.segments",
        }
        if not self._distributed:
            return sfn.Map(self, name, **options).item_processor(worker)
        # An express execution ends after 5 minutes and could not call its worker again. No failures are tolerated,
        # so the first one stops the other segments.
        segments = sfn.DistributedMap(
            self, name, label=name, map_execution_type=sfn.StateMachineType.STANDARD, **options
        )
        return segments.item_processor(worker).add_catch(
            self._failed_segment.start, errors=[CHILD_FAILED], result_path=f"$.failure.{name}"
        )

    def _task(
        self, stage: Stage, name: str, payload: Mapping[str, Any], result: str, comment: str
    ) -> sfn.TaskStateBase:
        """Make a state that calls the stage's function, and calls it again after a transient error."""
        task = tasks.LambdaInvoke(
            self,
            name,
            comment=comment,
            lambda_function=self._functions[stage.function],
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
