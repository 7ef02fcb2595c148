"""Links to the AWS console; the local environment has none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from etl.model.counts import set_aside
from etl.model.stages import FUNCTIONS, STAGED, function_of
from etl.staging.keys import quarantine_prefix, stage_prefix
from etl_cli.aws.deploy_line import is_local

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment
    from etl_cli.runs.ledger import LedgerEntry

# Domains of the console, by the partition of an ARN. Source: AWS General Reference, "AWS Management Console endpoints".
_DOMAINS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_MARGIN_MS = 60_000


def console_links(deployment: Deployment, entry: LedgerEntry) -> dict[str, str]:
    """Pages of the console about a run, by title; none for the local environment.

    They show the execution, the log of the function that failed or of all three, staged objects, and quarantine.
    """
    _, partition, _, region, *_ = entry.execution.split(":") if entry.execution else [""] * 5
    if not region or partition not in _DOMAINS or is_local(deployment.stepfunctions.meta.endpoint_url):
        return {}
    root = f"https://{region}.{_DOMAINS[partition]}"
    links = {"execution": f"{root}/states/home?region={region}#/v2/executions/details/{entry.execution}"}
    failed = function_of(entry.stage) if not entry.succeeded else None
    for function in map(deployment.names.function, [failed] if failed else FUNCTIONS):
        links[f"log of {function}"] = _log(root, region, function, entry)
    if entry.run:
        prefixes = {action: stage_prefix(action, entry.run) for action in STAGED}
        if not entry.succeeded or set_aside(entry.counts):
            prefixes["quarantine"] = quarantine_prefix(entry.run)
        for name, prefix in prefixes.items():
            links[name] = f"{root}/s3/buckets/{deployment.staging_bucket}?region={region}&prefix={prefix}"
    return links


def _log(root: str, region: str, function: str, entry: LedgerEntry) -> str:
    """A link to the lines of a run in a function's log. The console wants its fragment encoded twice, with $ for %."""
    name, value = ("run", entry.run) if entry.run else ("execution", entry.name)
    shown = {"filterPattern": f'{{ $.{name} = "{value}" }}'}
    if entry.started:
        shown["start"] = str(round(entry.started.timestamp() * 1000) - _MARGIN_MS)
    if entry.finished:
        shown["end"] = str(round(entry.finished.timestamp() * 1000) + _MARGIN_MS)
    query = "&".join(f"{each}={_twice(text)}" for each, text in shown.items())
    group = _twice(f"/aws/lambda/{function}")
    events = quote(f"?{query}", safe="$").replace("%", "$")
    return f"{root}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}/log-events{events}"


def _twice(text: str) -> str:
    return quote(quote(text, safe=""), safe="").replace("%", "$")
