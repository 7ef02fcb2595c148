"""docs/monitoring.md names all metrics and alarms, and no others; its events are in tests/pipeline."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from etl.handler import run_action
from etl.invocation import metrics
from etl.model.errors import UnexpectedError
from tests.fakes.pipeline import Context
from tests.infrastructure.test_monitoring import ALARMS
from tests.support import ROOT
from tests.unit.builders import run, work

PAGE = (ROOT / "docs" / "monitoring.md").read_text()


LANGUAGE = {"filter", "sort", "display", "stats", "count", "latest", "as", "by", "desc", "@timestamp"}


def rows(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [row.strip("|").split(" | ") for row in re.findall(r"^\| `.*\|$", section, re.MULTILINE)]


def test_every_metric_has_its_row_and_its_unit() -> None:
    listed = {name.strip(" `"): (unit, told) for name, unit, told in rows("Metrics")}

    assert {name: unit for name, (unit, _) in listed.items()} == metrics.UNITS | {"WatermarkAge": "Seconds"}
    assert {name for name, (_, told) in listed.items() if "`Stage`" in told} == metrics.BY_STAGE


def test_every_alarm_has_its_row() -> None:
    listed = {name.strip(" `") for name, _, _ in rows("Alarms")}

    assert listed == {f"etl-pipeline-{name}" for name in ALARMS}


def test_logs_insights_is_asked_for_fields_that_lines_have(capsys: pytest.CaptureFixture[str]) -> None:
    event = {"action": "load", "run": msgspec.to_builtins(run()), "work": {"segment": 0}}
    run_action(event, Context(), {"load": lambda *_: work(loaded=1)})
    with pytest.raises(UnexpectedError, match="ValueError"):
        run_action(event, Context(), {"load": lambda *_: int("late")})
    fields = {name for line in capsys.readouterr().out.splitlines() for name in json.loads(line)}

    queries = re.findall(r"```\n(filter .*)\n```", PAGE)
    for query in queries:
        words = set(re.findall(r"@?\w+", re.sub(r'"[^"]*"', "", query)))
        names = set(re.findall(r" as (\w+)", query))
        assert words - names - LANGUAGE <= fields
    assert len(queries) == 2
