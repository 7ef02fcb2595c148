"""Links to the AWS console; the local environment has none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from etl.model.counts import set_aside
from etl.model.stages import FUNCTIONS, function_of
from etl_cli.aws.deployment import is_local

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline
    from etl_cli.runs.ledger import Entry

# Where the consoles are, by the partition of an ARN. Source: AWS General Reference, "AWS Management Console endpoints".
_DOMAINS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_MARGIN_MS = 60_000


def console_links(pipeline: Pipeline, entry: Entry) -> dict[str, str]:
    """Pages of the console about a run, by what they show; none for the local environment.

    The execution; the log of the function that failed, or of all three; what was staged, and what is in quarantine.
    """
    _, partition, _, region, *_ = entry.execution.split(":") if entry.execution else [""] * 5
    if not region or partition not in _DOMAINS or is_local(pipeline.stepfunctions.meta.endpoint_url):
        return {}
    root = f"https://{region}.{_DOMAINS[partition]}"
    links = {"execution": f"{root}/states/home?region={region}#/v2/executions/details/{entry.execution}"}
    failed = function_of(entry.stage) if entry.status != "SUCCEEDED" else None
    for function in [failed] if failed else FUNCTIONS:
        links[f"log of {function}"] = _log(root, region, function, entry)
    if entry.run:
        prefixes = ["extract", "transform"]
        if entry.status != "SUCCEEDED" or set_aside(entry.counts):
            prefixes.append("quarantine")
        for prefix in prefixes:
            place = f"{root}/s3/buckets/{pipeline.staging_bucket}?region={region}"
            links[prefix] = f"{place}&prefix={prefix}/{entry.run}/"
    return links


def _log(root: str, region: str, function: str, entry: Entry) -> str:
    """The lines of a run in a function's log. The console wants its fragment encoded twice, with $ for %."""
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
