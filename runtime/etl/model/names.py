"""The names of a pipeline's resources. Those of the pipeline ``etl`` are the specification's.

Every name begins with the pipeline's name, and its stage if there is one. So pipelines and stages share an account and
region, and names of the same kind never meet: none of the endings below is the end of another one of its kind.
"""

import re
from typing import NamedTuple

SPECIFIED = "etl"
"""The pipeline of the specification: see ``docs/specification.md``."""

_STACK = "PipelineStack"


class Names(NamedTuple):
    """The names of a pipeline's resources.

    Attributes:
        pipeline: the pipeline's name, which is the name of its folder.
        stage: its stage, such as ``dev``; None for none.
    """

    pipeline: str = SPECIFIED
    stage: str | None = None

    @classmethod
    def of_stack(cls, stack: str) -> "Names | None":
        """The names of a pipeline by its stack's; None if no pipeline's stack has this name."""
        capitals, _, stage = stack.rpartition(_STACK)  # a pipeline may be named pipeline-stack
        found = cls(re.sub(r"(?<!^)(?<!-)([A-Z])", r"-\1", capitals).lower(), stage.removeprefix("-") or None)
        return found if capitals and found.stack == stack else None

    @classmethod
    def beginning(cls, prefix: str) -> "list[Names]":
        """All names that begin like this: without a stage, and with the last part as the stage."""
        pipeline, _, stage = prefix.rpartition("-")
        return [cls(prefix), *([cls(pipeline, stage)] if stage and pipeline else [])]

    @property
    def prefix(self) -> str:
        """The beginning of all names, and the name by which you choose a deployed pipeline."""
        return f"{self.pipeline}-{self.stage}" if self.stage else self.pipeline

    @property
    def stack_id(self) -> str:
        """The name by which the CDK CLI knows the stack, in every stage."""
        return f"{_capitals(self.pipeline)}{_STACK}"

    @property
    def stack(self) -> str:
        """The stack. A stage can't be mistaken for a part of the pipeline's name here.

        So ``orders-dev`` and the stage ``dev`` of ``orders`` are two stacks, and CloudFormation refuses the second one,
        whose resources have the names of the first one's, before it changes anything.
        """
        return f"{self.stack_id}-{self.stage}" if self.stage else self.stack_id

    @property
    def state_machine(self) -> str:
        """The state machine of the runs, and the source of their events."""
        return f"{self.prefix}-pipeline"

    @property
    def recorder(self) -> str:
        """The state machine that records ends which a run can't record."""
        return f"{self.state_machine}-recorder"

    @property
    def ended_rule(self) -> str:
        """The rule that starts the recorder."""
        return f"{self.state_machine}-ended"

    @property
    def watch(self) -> str:
        """The state machine that measures the watermark, and the rule that starts it."""
        return f"{self.state_machine}-watch"

    @property
    def dead_letters(self) -> str:
        """The queue of the events that could not start an execution."""
        return f"{self.state_machine}-dead-letters"

    @property
    def alarms(self) -> str:
        """The beginning of the names of all alarms; the topic is one of them."""
        return f"{self.state_machine}-"

    @property
    def alarm_topic(self) -> str:
        """The topic of the alarms."""
        return f"{self.alarms}alarms"

    @property
    def schedule_rule(self) -> str:
        """The rule that starts a run every day."""
        return f"{self.prefix}-daily-schedule"

    @property
    def source_table(self) -> str:
        """The table to read, if the stack makes it."""
        return f"{self.prefix}-source-data"

    @property
    def destination_table(self) -> str:
        """The table to write, if the stack makes it."""
        return f"{self.prefix}-destination-data"

    @property
    def ledger_table(self) -> str:
        """The run ledger."""
        return f"{self.prefix}-run-ledger"

    @property
    def tables(self) -> tuple[str, str, str]:
        """All tables that the stack may make."""
        return (self.source_table, self.destination_table, self.ledger_table)

    def staging_bucket(self, account: str, region: str) -> str:
        """The bucket between the stages."""
        return f"{self.prefix}-staging-{account}-{region}"

    def dashboard(self, region: str) -> str:
        """The dashboard: an account's dashboards are global. Source: CloudWatch API reference, PutDashboard."""
        return f"{self.state_machine}-{region}"

    def function(self, function: str) -> str:
        """A Lambda function, by its name in the table of stages."""
        return f"{self.prefix}-{function}"

    def log_group(self, function: str) -> str:
        """The log group of a Lambda function."""
        return f"/aws/lambda/{self.function(function)}"

    def states_log_group(self, state_machine: str) -> str:
        """The log group of a state machine. Groups below /aws/vendedlogs/ need no entry in the account's policy."""
        return f"/aws/vendedlogs/states/{state_machine}"

    @property
    def namespace(self) -> str:
        """The namespace of the metrics."""
        return namespace_of(self.prefix)

    @property
    def title(self) -> str:
        """The pipeline, for people."""
        return f"{self.prefix.upper()} pipeline"

    def typed(self, text: str) -> str:
        """A text in which lines of the command, such as `etl runs`, choose this pipeline."""
        return text if self.prefix == SPECIFIED else text.replace("`etl ", f"`etl --pipeline {self.prefix} ")

    def event(self, what: str) -> str:
        """The detail type of an event, such as ``ETL Pipeline Trigger``."""
        return f"{self.prefix.upper()} Pipeline {what}"


ETL = Names()
"""The names of the specification's pipeline without a stage."""


def namespace_of(prefix: str) -> str:
    """The namespace of the metrics of a pipeline, by the beginning of its names."""
    return f"{_capitals(prefix)}Pipeline"


def prefix_of(function: str) -> str:
    """The beginning of a pipeline's names, by the name of one of its Lambda functions."""
    return function.rpartition("-")[0]


def _capitals(name: str) -> str:
    """A name in capitals and without hyphens, if that is reversible: ``order-lines`` is ``OrderLines``."""
    return re.sub(r"(?:^|-)([a-z])", lambda found: found[1].upper(), name)
