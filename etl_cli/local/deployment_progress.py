"""The CDK CLI's output as progress."""

from __future__ import annotations

import re
from collections.abc import Callable

# A line of `cdk deploy --progress events`: "EtlPipelineStack |  3/29 | 8:41:11 PM | CREATE_COMPLETE | …".
_EVENT = re.compile(r"^\S+ \|\s*(?P<done>\d+)/(?P<all>\d+) \|.*\| (?P<status>[A-Z_]+) ")
_BOOTSTRAP_STACK = "CDKToolkit"
# The step that begins with a line that has these words.
_DOING = {
    "Bootstrapping": "bootstrapping",
    "Synthesizing": "synthesizing the template",
    "start: Publishing": "publishing the functions' code",
    "CloudFormation changeset": "comparing with what is deployed",
}


class DeploymentProgress:
    """Follows a deployment by the lines of the CDK CLI."""

    def __init__(self, show: Callable[[str, float | None], None]) -> None:
        """Show the current step, and its progress from 0 to 1; None if that is unknown."""
        self.outcome = "created"  # or "updated" or "no changes"; final at the deployment's end
        self._show = show
        show("starting the CDK CLI", None)

    def take(self, line: str) -> None:
        """Read the next line."""
        if line.startswith(_BOOTSTRAP_STACK):
            return
        if event := _EVENT.match(line):
            done, total = int(event["done"]), int(event["all"])
            if event["status"].startswith("UPDATE"):
                self.outcome = "updated"
            self._show(f"{done} of {total} resources", done / total if total else None)
        elif "(no changes)" in line:
            self.outcome = "no changes"
        else:
            for sign, doing in _DOING.items():
                if sign in line:
                    self._show(doing, None)
