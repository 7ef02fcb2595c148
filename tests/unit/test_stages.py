"""The tables of stages and counts, and what follows from them."""

import pytest

from etl.invocation.metrics import UNITS
from etl.model.counts import COUNTS, PASSED_ON, REJECTED, TABLE
from etl.model.errors import ConfigurationError
from etl.model.stages import ACTIONS, FUNCTIONS, MAPS, STAGED, STAGES, STATES, read_by
from tests.fakes.pipeline import HANDLERS, Context, FakePipeline


def test_states_are_named_after_their_actions() -> None:
    assert [state.lower() for state in STATES] == list(ACTIONS)
    assert len(set(ACTIONS)) == len(STAGES)


def test_each_stage_reads_what_the_one_before_it_staged() -> None:
    assert (read_by("transform"), read_by("gate"), read_by("load")) == ("extract", "transform", "transform")
    assert set(STAGED) < {stage.action for stage in MAPS}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_runs_exactly_its_actions(function: str) -> None:
    with FakePipeline([]).deployed(), pytest.raises(ConfigurationError) as error:
        HANDLERS[function]({"action": "another"}, Context())

    actions = [stage.action for stage in STAGES if stage.function == function]
    assert f" {', '.join(actions)}, got" in str(error.value)


def test_positions_of_counts_never_move() -> None:
    # The history of an execution holds them without names, and can be read for 90 days.
    assert " ".join(COUNTS).startswith(
        "scanned read read_units left extracted extract_parts extract_bytes transformed dropped rejected_transform "
        "records aggregate_records transform_parts transform_bytes transform_quarantine_parts loaded superseded "
        "rejected_load load_requests load_throttled write_units load_quarantine_parts ahead untimed"
    )


def test_every_count_has_a_known_stage_and_metric() -> None:
    assert {count.stage for count in TABLE} <= set(ACTIONS)
    assert {count.metric for count in TABLE if count.metric} <= UNITS.keys()
    assert len(set(COUNTS)) == len(TABLE)


def test_a_stage_that_rejects_counts_its_quarantine() -> None:
    assert {f"{stage}_quarantine_parts" for stage in REJECTED} <= set(COUNTS)
    assert {f"{stage}_parts" for stage in STAGED} <= set(COUNTS)


def test_gate_passes_on_the_parts_that_later_stages_need() -> None:
    assert PASSED_ON == ("transform_parts", "transform_quarantine_parts")
    assert set(PASSED_ON) <= set(COUNTS)
