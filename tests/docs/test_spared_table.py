"""docs/tables.md, "Spare the production table": its settings are allowed, and its times are those of the model."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from etl.model.settings_sources import FILE, configured
from etl_cli.costs.capacity import estimate
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.usage import GB
from tests.support import ROOT

SECTION = (ROOT / "docs" / "tables.md").read_text().partition("## Spare the production table")[2].partition("\n## ")[0]
SECONDS = {"min": 60, "h": 3600}


def times() -> list[tuple[int, int, str]]:
    """Size in GB, ceiling, and the time that the page shows."""
    heads, _, *rows = (line.strip("|").split("|") for line in SECTION.splitlines() if line.startswith("|"))
    ceilings = [int(re.sub(r"\D", "", head)) for head in heads[1:]]
    return [
        (int(row[0].split()[0]), ceiling, cell.strip())
        for row in rows
        for ceiling, cell in zip(ceilings, row[1:], strict=True)
    ]


@pytest.mark.parametrize(("gigabytes", "ceiling", "shown"), times())
def test_a_time_is_that_of_the_model(gigabytes: int, ceiling: int, shown: str) -> None:
    settings = CapacitySettings(source_read_units_per_second=ceiling, start_ms=0)
    extract = estimate(Workload(table_bytes=gigabytes * GB, share=0.01), settings, Costs.read()).stages[0]
    number, unit = shown.split()
    digits = len(number.partition(".")[2])

    assert extract.bound_by == "ceiling on reads"
    assert round(extract.seconds / SECONDS[unit], digits) == float(number)


def test_its_settings_are_allowed(tmp_path: Path) -> None:
    (typed,) = re.findall(r"^cdk deploy EtlPipelineStack -c (etl:\w+)=(\d+)$", SECTION, re.MULTILINE)
    (toml,) = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)
    mine = tmp_path / "mine" / "etl"
    mine.mkdir(parents=True)
    (mine / "transformation.py").touch()
    (mine / FILE).write_text(toml)
    chosen = {"etl:pipelines": "mine"}

    by_file = configured(chosen, tmp_path)

    assert tomllib.loads(toml)
    assert by_file == {"pipelines": "mine", "source_read_units_per_second": 500}
    (mine / FILE).unlink()
    assert configured(chosen | dict([typed]), tmp_path) == by_file
