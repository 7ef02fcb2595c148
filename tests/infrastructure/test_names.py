"""Physical names: all begin with the pipeline's name and stage, and no two pipelines or stages share one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from aws_cdk import App

from etl.model.names import ETL, Names
from etl.model.setting import SettingsError
from serverless_app.settings import PipelineSettings, other_pipelines
from serverless_app.stacks.etl_pipeline_stack import EtlPipelineStack
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

DEPLOYED = [ETL, Names("orders"), Names("etl", "dev"), Names("orders", "dev")]
# Events that aren't a pipeline's own.
OF_ALL = {("event", each) for each in ("manual.trigger", "aws.states", "Step Functions Execution Status Change")}
# Before the pipeline's prefix, in the names of log groups.
GROUPS = ("/aws/lambda/", "/aws/vendedlogs/states/")


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[Names, Synthesized]:
    """The stacks of two pipelines in two stages, as app.py makes them, without the functions' code."""
    found = {}
    for stage in (None, "dev"):
        folder = tmp_path_factory.mktemp("assembly")
        given = {"etl:pipelines": "tests/fixtures/several", **({"etl:stage": stage} if stage else {})}
        app = App(outdir=str(folder), context={**given, "aws:cdk:bundling-stacks": []}, analytics_reporting=False)
        made = [EtlPipelineStack(app, "EtlPipelineStack")]
        made += [EtlPipelineStack(app, each.stack_id, pipeline=each.pipeline) for each in other_pipelines(given)]
        app.synth()
        for each in made:
            template = json.loads((folder / each.template_file).read_text())
            found[each.names] = Synthesized(template, {}, folder, each.acknowledged)
            assert each.stack_name == each.names.stack
    assert [*found] == DEPLOYED
    return found


def physical(stack: Synthesized) -> Iterator[tuple[str, str]]:
    """The physical names of the resources, each with its type; those that CloudFormation makes begin with the stack's.

    A resource's name is its property Name, or that of its type: see "Name type" in the CloudFormation user guide. An
    inline policy's is unique in its role alone.
    """
    for each in stack.template["Resources"].values():
        kind = each["Type"]
        if kind == "AWS::IAM::Policy":
            continue
        for key in ("Name", f"{kind.rpartition('::')[2]}Name"):
            if key in each.get("Properties", {}):
                yield kind, stack.resolve(each["Properties"][key])


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


def values(stack: Synthesized) -> Iterator[str]:
    """Every text in the template's properties and outputs, resolved."""

    def walk(value: Any) -> Iterator[str]:
        match value:
            case str():
                yield value
            case dict():
                for each in value.values():
                    yield from walk(each)
            case list():
                for each in value:
                    yield from walk(each)

    for each in stack.template["Resources"].values():
        yield from walk(stack.resolve(each.get("Properties", {})))
    yield from walk(stack.resolve(stack.template["Outputs"]))


@pytest.mark.parametrize("names", DEPLOYED, ids=lambda names: names.prefix)
def test_every_physical_name_begins_with_the_prefix(stacks: dict[Names, Synthesized], names: Names) -> None:
    found = list(physical(stacks[names]))

    beginnings = tuple(f"{group}{names.prefix}-" for group in ("", *GROUPS))
    assert [(kind, name) for kind, name in found if not name.startswith(beginnings)] == []
    assert {kind for kind, _ in found} >= {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::DynamoDB::Table",
        "AWS::Events::Rule",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::StepFunctions::StateMachine",
    }
    assert ("AWS::CloudWatch::Dashboard", f"{names.prefix}-pipeline-{REGION}") in found
    assert ("AWS::S3::Bucket", f"{names.prefix}-staging-{ACCOUNT}-{REGION}") in found


def test_no_two_stacks_share_a_physical_name(stacks: dict[Names, Synthesized]) -> None:
    for first, second in combinations(DEPLOYED, 2):
        ours, theirs = ({*physical(stacks[names])} for names in (first, second))

        assert ours & theirs == set()
        assert min(len(ours), len(theirs)) > 30
        assert shared_names(stacks[first]) & shared_names(stacks[second]) == set()


@pytest.mark.parametrize("names", DEPLOYED, ids=lambda names: names.prefix)
def test_a_stack_exports_nothing(stacks: dict[Names, Synthesized], names: Names) -> None:
    assert [each for each in stacks[names].template["Outputs"].values() if "Export" in each] == []


@pytest.mark.parametrize("names", [Names("orders"), Names("orders", "dev")], ids=lambda names: names.prefix)
def test_no_text_names_a_resource_of_another_pipeline(stacks: dict[Names, Synthesized], names: Names) -> None:
    """Neither a policy, nor a metric, an event, an alarm's description or the dashboard."""
    others = re.compile(r"(?<![\w.-])(etl-|EtlPipeline|ETL )|`etl (?!--pipeline )")

    assert [text for text in values(stacks[names]) if others.search(text)] == []


@pytest.mark.parametrize("names", [Names("etl", "dev"), Names("orders", "dev")], ids=lambda names: names.prefix)
def test_no_text_names_a_resource_of_another_stage(stacks: dict[Names, Synthesized], names: Names) -> None:
    other = Names(names.pipeline)
    without = re.compile(rf"(?<![\w.-]){other.prefix}-(?!dev\b)|{other.event('')}|{other.namespace}(?!Stack)")

    assert [text for text in values(stacks[names]) if without.search(text)] == []


def test_a_setting_of_no_pipeline_is_refused() -> None:
    with pytest.raises(SettingsError, match="nobody"):
        other_pipelines({"nobody:late_hours": 30})


def test_namespaces_and_events_have_the_pipelines_name(stacks: dict[Names, Synthesized]) -> None:
    for names, stack in stacks.items():
        events = {("event", names.state_machine)}
        events |= {("event", names.event(what)) for what in ("Trigger", "Run Succeeded", "Run Failed")}
        assert shared_names(stack) == events | {("namespace", names.namespace)}


def test_texts_for_people_choose_the_pipeline(stacks: dict[Names, Synthesized]) -> None:
    alarms = stacks[Names("orders", "dev")].of_type("AWS::CloudWatch::Alarm").values()
    lines = [
        line for each in alarms for line in re.findall(r"`etl ([^`]+)`", str(each["Properties"]["AlarmDescription"]))
    ]

    assert len(lines) > 5
    assert [line for line in lines if not line.startswith("--pipeline orders-dev ")] == []


def test_each_stage_has_its_settings() -> None:
    given = {"etl:pipelines": "tests/fixtures/several", "etl:lookback_hours": "12", "orders:concurrency": "7"}

    def read(pipeline: str, stage: str | None = None) -> PipelineSettings:
        context = given | ({"etl:stage": stage} if stage else {})
        return PipelineSettings.from_context(context, pipeline=pipeline)

    assert (read("etl").lookback_hours, read("etl").source_table) == (12, None)
    assert (read("orders").lookback_hours, read("orders").concurrency) == (48, 7)
    assert (read("orders", "dev").lookback_hours, read("orders", "prod").lookback_hours) == (72, 48)
    assert read("orders", "dev").source_table == "shop-orders"
