"""Several pipelines and stages: no name of one is a name of another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from aws_cdk import App

from etl.model.names import ETL, Names
from serverless_app.settings import PipelineSettings
from serverless_app.stacks.etl_pipeline_stack import other_pipelines
from tests.infrastructure.synthesis import REGION, Synthesized, synthesize

ALL = (ETL, ETL._replace(stage="dev"), Names("orders"), Names("orders", "dev"))
FOLDER = "tests/fixtures/several"
# These don't name the resource: the policies are inline, and belong to a role.
OTHER_NAMES = {"MetricName", "PolicyName", "DisplayName"}

# Namespaces of AWS's own metrics, and events that aren't a pipeline's own.
OF_ALL = {("event", each) for each in ("manual.trigger", "aws.states", "Step Functions Execution Status Change")}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[Names, Synthesized]:
    made = {}
    for names in ALL:
        settings = PipelineSettings(name=names.pipeline, stage=names.stage, pipelines=FOLDER, concurrency=100)
        made[names] = synthesize(tmp_path_factory.mktemp("stack") / "cdk.out", settings=settings)
    return made


def physical_names(stack: Synthesized) -> Iterator[tuple[str, str]]:
    """The type and the name of each resource that has a name of its own."""
    for resource in stack.template["Resources"].values():
        for key, value in resource.get("Properties", {}).items():
            if (key == "Name" or key.endswith("Name")) and key not in OTHER_NAMES:
                yield f"{resource['Type']}.{key}", str(stack.resolve(value))


def shared_names(stack: Synthesized) -> set[tuple[str, str]]:
    """Names that aren't a resource's: namespaces of metrics, events, exports."""
    text = json.dumps(stack.resolve(stack.template["Resources"])).replace("\\", "")
    found = {("namespace", each) for each in re.findall(r'"(?:\w*Namespace|cloudwatch:namespace)": ?"([^"/]+)"', text)}
    found |= {("namespace", each) for each in re.findall(r'\["([A-Za-z-]+Pipeline)",', text)}
    found |= {("event", each) for each in re.findall(r'"(?:DetailType|Source)": ?"([^"]+)"', text)}
    for rule in stack.of_type("AWS::Events::Rule").values():
        pattern = rule["Properties"].get("EventPattern", {})
        found |= {("event", each) for each in (*pattern.get("detail-type", ()), *pattern.get("source", ()))}
    exports = (each["Export"]["Name"] for each in stack.template["Outputs"].values() if "Export" in each)
    found |= {("export", str(stack.resolve(each))) for each in exports}
    return found - OF_ALL


def words_of(names: Names) -> tuple[str, str, str]:
    """The ways in which a pipeline's name begins a name."""
    return f"{names.prefix}-", f"{names.prefix.upper()} ", names.namespace


@pytest.mark.parametrize("names", ALL, ids=lambda names: names.prefix)
def test_every_name_begins_with_the_pipelines(stacks: dict[Names, Synthesized], names: Names) -> None:
    found = list(physical_names(stacks[names]))

    assert len(found) > 30
    beginnings = (f"{names.prefix}-", f"/aws/lambda/{names.prefix}-", f"/aws/vendedlogs/states/{names.prefix}-")
    assert [each for each in found if not each[1].startswith(beginnings)] == []
    assert [each for each in shared_names(stacks[names]) if not each[1].startswith(words_of(names))] == []


@pytest.mark.parametrize(("one", "other"), list(combinations(ALL, 2)), ids=lambda names: names.prefix)
def test_two_pipelines_share_no_name(stacks: dict[Names, Synthesized], one: Names, other: Names) -> None:
    first, second = ({*physical_names(stacks[each]), *shared_names(stacks[each])} for each in (one, other))

    assert {kind for kind, _ in first} == {kind for kind, _ in second}
    assert first & second == set()


@pytest.mark.parametrize("names", ALL[1:], ids=lambda names: names.prefix)
def test_no_text_of_a_template_has_the_specified_names(stacks: dict[Names, Synthesized], names: Names) -> None:
    """Grants, definitions, graphs and descriptions of another pipeline name nothing of `etl`."""
    text = json.dumps(stacks[names].resolve(stacks[names].template["Resources"]))
    own = json.dumps(stacks[ETL].resolve(stacks[ETL].template["Resources"]))
    pattern = r"\betl-[a-z][a-z-]*|\bETL Pipeline|\bEtlPipeline\b"

    assert len(re.findall(pattern, own)) > 100
    assert [each for each in re.findall(pattern, text) if not f"{each}-".startswith(words_of(names))] == []


def test_the_dashboards_name_has_the_region(stacks: dict[Names, Synthesized]) -> None:
    for names, stack in stacks.items():
        (board,) = stack.of_type("AWS::CloudWatch::Dashboard").values()
        assert stack.resolve(board["Properties"]["DashboardName"]) == f"{names.prefix}-pipeline-{REGION}"


def test_texts_for_people_choose_the_pipeline(stacks: dict[Names, Synthesized]) -> None:
    alarms = stacks[Names("orders", "dev")].of_type("AWS::CloudWatch::Alarm").values()
    lines = [
        line for each in alarms for line in re.findall(r"`etl ([^`]+)`", str(each["Properties"]["AlarmDescription"]))
    ]

    assert len(lines) > 5
    assert [line for line in lines if not line.startswith("--pipeline orders-dev ")] == []


def test_a_stack_is_named_after_pipeline_and_stage(tmp_path: Path) -> None:
    settings = PipelineSettings(name="orders", stage="dev", pipelines=FOLDER)
    manifest = json.loads((synthesize(tmp_path / "cdk.out", settings=settings).assembly / "manifest.json").read_text())

    assert manifest["artifacts"]["EtlPipelineStack"]["properties"]["stackName"] == "OrdersPipelineStack-dev"


def test_the_app_finds_the_other_pipelines() -> None:
    assert other_pipelines(App(context={"etl:pipelines": FOLDER})) == [Names("orders")]
    assert other_pipelines(App(context={"etl:pipelines": "tests/fixtures/pipelines"})) == []


def test_each_stage_has_its_settings() -> None:
    given = {"etl:pipelines": FOLDER, "etl:lookback_hours": "12", "orders:concurrency": "7"}

    def read(pipeline: str, stage: str | None = None) -> PipelineSettings:
        context = given | ({"etl:stage": stage} if stage else {})
        return PipelineSettings.from_context(context, pipeline=pipeline)

    assert (read("etl").lookback_hours, read("etl").source_table) == (12, None)
    assert (read("orders").lookback_hours, read("orders").concurrency) == (48, 7)
    assert (read("orders", "dev").lookback_hours, read("orders", "prod").lookback_hours) == (72, 48)
    assert read("orders", "dev").source_table == "shop-orders"
