"""Run by .venv-lint's Python: findings of cfn-lint and checkov in templates, as JSON. A connection is an error.

checkov's command asks its maker's service for guidelines even if it is told to download nothing, so its rules are run
without that command.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def _stay_here(event: str, given: object) -> None:
    if event in ("socket.connect", "socket.getaddrinfo"):
        os.write(2, f"error: a linter calls home: {event} {given}".encode())
        os._exit(1)


sys.addaudithook(_stay_here)

from cfnlint import api  # type: ignore[import-not-found] # noqa: E402
from cfnlint.config import ManualArgs  # type: ignore[import-not-found] # noqa: E402
from checkov.cloudformation.runner import Runner  # type: ignore[import-not-found] # noqa: E402
from checkov.runner_filter import RunnerFilter  # type: ignore[import-not-found] # noqa: E402


def linted(template: str) -> list[Any]:
    """Return cfn-lint's findings: check, type, resource, words."""
    text = Path(template).read_text(encoding="utf-8")
    resources = json.loads(text)["Resources"]
    found = []
    for match in api.lint(text, config=ManualArgs(regions=["us-east-1"])):
        resource = str([*match.path, "", ""][1])
        found.append((match.rule.id, resources.get(resource, {}).get("Type", ""), resource, match.message))
    return found


def checked(template: str) -> list[Any]:
    """Return checkov's findings: check, type, resource, words."""
    report = Runner().run(root_folder=None, files=[template], runner_filter=RunnerFilter(framework=["cloudformation"]))
    if report.parsing_errors or not report.passed_checks:
        sys.exit(f"error: checkov can't read {template}")
    return [(each.check_id, *each.resource.rpartition(".")[::2], each.check_name) for each in report.failed_checks]


if __name__ == "__main__":
    answer = {
        "lint": [each for template in sys.argv[1:] for each in linted(template)],
        "checkov": [each for template in sys.argv[1:] for each in checked(template)],
    }
    sys.stdout.write("\n" + json.dumps(answer))
