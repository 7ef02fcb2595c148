"""The names of the resources: those of the specification, and no two pipelines or stages with the same one."""

import re

import botocore.session
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from etl.model.names import ETL, Names, namespace_of, prefix_of
from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS
from etl.model.settings_sources import check_name
from etl.model.stages import FUNCTIONS

ACCOUNT = "111122223333"
STAGE = r"[a-z0-9]{1,8}"


def is_allowed(pipeline: str) -> bool:
    try:
        check_name(pipeline)
    except SettingsError:
        return False
    return True


# Parts of the names come up often: where two names could meet, they would do so by these.
WORDS = ["a", "etl", "x1", "1", "dev", "prod", "pipeline", "stack", "recorder", "watch", "alarms", "load", "staging"]
PARTS = st.sampled_from(WORDS) | st.from_regex(r"[a-z0-9]{1,4}", fullmatch=True)
PIPELINES = st.lists(PARTS, min_size=1, max_size=4).map("-".join).filter(is_allowed)
STAGES = st.none() | st.sampled_from([word for word in WORDS if len(word) <= 8]) | st.from_regex(STAGE, fullmatch=True)
ALL = st.builds(Names, PIPELINES, STAGES)


def kinds(names: Names, region: str = "eu-west-1") -> dict[str, set[str]]:
    """All names, by the kind within which AWS allows each once."""
    machines = [names.state_machine, names.recorder, names.watch]
    return {
        "stack": {names.stack},
        "state machine": {*machines},
        "rule": {names.schedule_rule, names.ended_rule, names.watch},
        "queue": {names.dead_letters},
        "topic": {names.alarm_topic},
        "table": {*names.tables},
        "bucket": {names.staging_bucket(ACCOUNT, region)},
        "dashboard": {names.dashboard(region)},
        "function": {names.function(each) for each in FUNCTIONS},
        "log group": {*map(names.log_group, FUNCTIONS), *map(names.states_log_group, machines)},
        "namespace": {names.namespace},
        "event": {names.event("Trigger"), names.event("Run Ended")},
        "title": {names.title},
    }


def test_without_a_stage_the_names_are_those_of_the_specification() -> None:
    assert kinds(ETL) == {
        "stack": {"EtlPipelineStack"},
        "state machine": {"etl-pipeline", "etl-pipeline-recorder", "etl-pipeline-watch"},
        "rule": {"etl-daily-schedule", "etl-pipeline-ended", "etl-pipeline-watch"},
        "queue": {"etl-pipeline-dead-letters"},
        "topic": {"etl-pipeline-alarms"},
        "table": {"etl-source-data", "etl-destination-data", "etl-run-ledger"},
        "bucket": {"etl-staging-111122223333-eu-west-1"},
        "dashboard": {"etl-pipeline-eu-west-1"},
        "function": {"etl-extract", "etl-transform", "etl-load"},
        "log group": {
            *(f"/aws/lambda/etl-{each}" for each in ("extract", "transform", "load")),
            *(f"/aws/vendedlogs/states/etl-pipeline{end}" for end in ("", "-recorder", "-watch")),
        },
        "namespace": {"EtlPipeline"},
        "event": {"ETL Pipeline Trigger", "ETL Pipeline Run Ended"},
        "title": {"ETL pipeline"},
    }


def test_the_stage_is_behind_the_pipeline_s_name() -> None:
    names = Names("order-lines", "dev")

    assert (names.stack_id, names.stack) == ("OrderLinesPipelineStack", "OrderLinesPipelineStack-dev")
    assert (names.state_machine, names.namespace) == ("order-lines-dev-pipeline", "OrderLinesDevPipeline")
    assert names.function("load") == "order-lines-dev-load"
    assert names.event("Trigger") == "ORDER-LINES-DEV Pipeline Trigger"


@given(ALL)
@example(Names("pipeline-stack"))
@example(Names("pipeline-stack", "stack"))
@example(Names("a-1", "1"))
def test_the_stack_s_name_tells_pipeline_and_stage(names: Names) -> None:
    assert Names.of_stack(names.stack) == names


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}(PipelineStack)?[A-Za-z0-9-]{0,9}", fullmatch=True))
@example("PipelineStack")
@example("etlPipelineStack")
@example("EtlPipelineStack-")
@example("EtlPipelineStackdev")
@example("CDKToolkit")
def test_any_other_stack_s_name_tells_nothing(stack: str) -> None:
    names = Names.of_stack(stack)

    assert names is None or names.stack == stack
    if not re.match(r"[A-Z].*PipelineStack(-[a-z0-9]+)?\Z", stack):
        assert names is None


@given(ALL, ALL)
@example(Names("etl"), Names("etl-pipeline"))
@example(Names("etl", "pipeline"), Names("etl"))
@example(Names("a"), Names("a-b", "recorder"))
@example(Names("ab"), Names("a-b"))
@example(Names("a1"), Names("a-1"))
def test_names_of_two_pipelines_or_stages_never_meet(first: Names, second: Names) -> None:
    assume(first.prefix != second.prefix)
    ours, theirs = kinds(first), kinds(second)

    assert {kind: both for kind in ours if (both := ours[kind] & theirs[kind])} == {}


@given(PIPELINES, st.from_regex(STAGE, fullmatch=True))
def test_a_stage_and_a_pipeline_of_its_names_have_two_stacks(pipeline: str, stage: str) -> None:
    """CloudFormation refuses the second one for its resources' names, in place of an update of the first one."""
    twin = Names(f"{pipeline}-{stage}")

    assert twin.prefix == Names(pipeline, stage).prefix
    assert twin.stack != Names(pipeline, stage).stack


@given(ALL, st.sampled_from(FUNCTIONS))
def test_a_function_finds_its_namespace_by_its_name(names: Names, function: str) -> None:
    assert namespace_of(prefix_of(names.function(function))) == names.namespace


def test_a_hyphen_at_the_end_begins_no_stage() -> None:
    assert Names.beginning("orders-dev") == [Names("orders-dev"), Names("orders", "dev")]
    assert Names.beginning("orders-") == [Names("orders-")]
    assert Names.beginning("orders") == [Names("orders")]


def test_the_longest_bucket_s_name_fits_in_every_region() -> None:
    """Source: S3 user guide, "General purpose bucket naming rules"."""
    session = botocore.session.get_session()
    partitions = session.get_available_partitions()
    regions = [region for each in partitions for region in session.get_available_regions("s3", each)]
    pipeline, stage = "a" * 15, "x" * 8
    assert is_allowed(pipeline)
    assert not is_allowed(f"{pipeline}a")
    assert SETTINGS["stage"].parse(stage) == stage
    with pytest.raises(SettingsError):
        SETTINGS["stage"].parse(f"{stage}x")

    assert "eu-west-1" in regions
    for region in regions:
        assert len(Names(pipeline, stage).staging_bucket(ACCOUNT, region)) <= 63
