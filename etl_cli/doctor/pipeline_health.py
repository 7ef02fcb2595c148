"""A deployed pipeline at a glance: its tables, schedule, last run, watermark and health."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from etl.model.settings import Settings
from etl_cli.aws.deployed_schema import may_read_all
from etl_cli.aws.deployed_settings import of_alarms, of_rule
from etl_cli.aws.deployment import Deployment
from etl_cli.aws.pipelines import DeployedStack
from etl_cli.doctor.findings import LEVELS, Finding, Level, explained, problem
from etl_cli.doctor.ledger_findings import ledger_findings
from etl_cli.doctor.stack_findings import stack_finding
from etl_cli.runs.coverage import of_whole_table
from etl_cli.runs.ledger import LedgerEntry, Watermark, read_ledger
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times


@dataclass
class PipelineHealth:
    """A deployed pipeline; what AWS didn't show is None, and a finding."""

    stack: DeployedStack
    source: str
    destination: str
    schedule: str | None = None
    enabled: bool | None = None
    last_run: LedgerEntry | None = None
    watermark: Watermark | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The worst level of its findings."""
        return max((each.level for each in self.findings), key=LEVELS.index, default="ok")

    @property
    def reason(self) -> Finding | None:
        """The first finding of that level; None if all is well."""
        return next((each for each in self.findings if each.level == self.level != "ok"), None)


def look_at(deployment: Deployment, stack: DeployedStack, now: datetime, times: Times, etl: EtlLines) -> PipelineHealth:
    """Look at a pipeline by its stack, its rule, its alarms and its ledger; what AWS refuses is a finding."""
    deploy, names = deployment.deploy_line(), deployment.names
    found = PipelineHealth(stack, deployment.source_table, deployment.destination_table)
    found.findings.append(stack_finding(names.stack, stack.status, [], deploy))
    late = timedelta(hours=Settings.late_hours)

    def schedule() -> Iterator[Finding]:
        values = of_rule(deployment)
        found.schedule, found.enabled = values["schedule"], values["schedule_enabled"]
        if not found.enabled:
            yield Finding("schedule", "warning", f"{names.schedule_rule} is disabled: it starts no run")

    def alarms() -> Iterator[Finding]:
        nonlocal late
        late = timedelta(hours=of_alarms(deployment).get("late_hours", Settings.late_hours))
        yield from ()

    def ledger() -> Iterator[Finding]:
        entries, found.watermark = read_ledger(deployment.dynamodb, names, now)
        found.last_run = entries[0] if entries else None
        entries = of_whole_table(entries) if may_read_all(deployment) else entries
        yield from ledger_findings(entries, found.watermark, now, late, times, etl)

    looks: Sequence[tuple[str, str, str, Callable[[], Iterator[Finding]]]] = (
        ("schedule", "events", f"rule {names.schedule_rule}", schedule),
        ("alarms", "cloudwatch", f"alarms {names.alarms}*", alarms),
        ("ledger", "dynamodb", f"table {names.ledger_table}", ledger),
    )
    for about, service, thing, look in looks:
        found.findings += _findings(about, service, thing, look, deploy)
    return found


def _findings(
    about: str, service: str, thing: str, look: Callable[[], Iterator[Finding]], deploy: str
) -> list[Finding]:
    try:
        return list(look())
    except UserError as error:
        return [problem(about, error)]
    except (BotoCoreError, ClientError) as error:
        return [explained(error, about, service, thing, identity="these credentials", deploy=deploy)]
