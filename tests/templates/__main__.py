"""`python -m tests.templates`: cfn-lint, checkov and the calls of all state machines, on each kind of template.

Nothing here needs the network.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from serverless_app.settings import PipelineSettings
from tests.infrastructure.synthesis import Synthesized, synthesize
from tests.templates import integrations, linters

KINDS = {
    "default": PipelineSettings(),
    "distributed": PipelineSettings(concurrency=41, alarm_email="ops@example.com"),
    "retain": PipelineSettings(removal_policy="retain", schedule="rate(6 hours)"),
}


def main() -> int:
    """Print every problem, and return the exit code."""
    # checkov takes a path's piece of 40 letters, digits and slashes for a secret: the hyphens keep pieces shorter.
    with TemporaryDirectory(prefix="etl-templates-") as folder:
        stacks = [synthesize(Path(folder) / name, settings=settings) for name, settings in KINDS.items()]
        templates = [stack.assembly / "EtlPipelineStack.template.json" for stack in stacks]
        problems = [*linters.problems(templates), *(each for stack in stacks for each in called(stack))]
    for problem in dict.fromkeys(problems):
        sys.stderr.write(f"error: {problem}\n")
    if not problems:
        sys.stdout.write(f"cfn-lint, checkov and the state machines' calls: {', '.join(KINDS)} templates are fine\n")
    return bool(problems)


def called(stack: Synthesized) -> list[str]:
    """Problems of the calls of a stack's state machines."""
    return [
        f"{stack.resolve(each['Properties']['StateMachineName'])}, {problem}"
        for each in stack.of_type("AWS::StepFunctions::StateMachine").values()
        for problem in integrations.problems(json.loads(stack.resolve(each["Properties"]["DefinitionString"])))
    ]


if __name__ == "__main__":
    sys.exit(main())
