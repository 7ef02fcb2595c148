"""Every state machine of every template is valid Amazon States Language."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.infrastructure.synthesis import ROOT, Synthesized


def test_definitions_are_valid_amazon_states_language(
    stack: Synthesized, distributed_stack: Synthesized, tmp_path: Path
) -> None:
    paths = []
    for kind, each in (("inline", stack), ("distributed", distributed_stack)):
        for logical_id, machine in each.of_type("AWS::StepFunctions::StateMachine").items():
            paths.append(tmp_path / f"{kind}-{logical_id}.json")
            paths[-1].write_text(each.resolve(machine["Properties"]["DefinitionString"]))
    validator = ROOT / "node_modules" / ".bin" / "asl-validator"
    options = [option for path in paths for option in ("--json-path", path)]

    done = subprocess.run([validator, *options], capture_output=True, text=True, check=False)

    assert len(paths) == 6
    assert done.returncode == 0, done.stdout + done.stderr
