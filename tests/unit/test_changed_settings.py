"""A deployment may change settings in the middle of a run: the run continues, and its result is right."""

from typing import Any

import pytest

from etl.invocation.code_version import STORES
from etl.model.errors import CodeChangedError
from etl.model.function_settings import OfTables
from etl.model.setting import declared
from tests.fakes.faults import Crash
from tests.fakes.pipeline import ENVIRONMENT, FakePipeline, _forget_adapters
from tests.unit.test_pipeline import MODULE, TIMESTAMP, items

FIXES = "Plan alone reads it, and fixes it in the run."
# Each setting with another value, and the reason why it may change during a run.
HARMLESS = {
    "LOG_LEVEL": ("ERROR", "It decides what is logged, and nothing else."),
    "CATCH_UP_DAYS": ("1", "Plan alone reads it, and fixes the window."),
    "EVENT_WINDOW_DAYS": ("1", "Plan alone reads it, and fixes the window."),
    "LOOKBACK_HOURS": ("1", "Plan alone reads it, and fixes the window."),
    "LATENESS_MINUTES": ("0", "Plan alone reads it, and fixes the window."),
    "CONCURRENCY": ("1", "Plan alone reads it, and fixes the segments; the execution keeps its definition's Maps."),
    "SEGMENT_BYTES": ("1000000", "Plan alone reads it, and fixes the segments."),
    "PART_BYTES": ("1024", "Parts are numbered on by the counts, whatever their sizes; a cursor names part and place."),
    "REJECT_THRESHOLD_PERCENT": ("60", "Gate decides once, and hands what it went by to Finish."),
    "DROP_THRESHOLD_PERCENT": ("60", "Gate alone reads it."),
    "RECORD_SECONDS": ("5", "It holds for each record; a record that takes longer is in quarantine, as it says."),
    "MAX_WRITE_UNITS_PER_SECOND": ("100000", "Each worker takes its share of the ceiling that it finds."),
    "SOURCE_CURSOR": ("changed", FIXES),
    "SOURCE_CURSOR_FORMAT": ("epoch_ms", FIXES),
    "SOURCE_CURSOR_ZONE": ("Europe/Berlin", FIXES),
    "SOURCE_CURSOR_MISSING": ("include", FIXES),
    "SOURCE_FILTER": ('{"expression": "attribute_exists(changed)"}', FIXES),
    "DESTINATION_KEYS": ("pk:N", FIXES),
}
# A run that finds another of these ends: STORES names them all, and is a part of the version of the run's code.
FIXED = {"STAGING_BUCKET", "SOURCE_TABLE", "DESTINATION_TABLE", "LEDGER_TABLE", STORES}
BASE = {"PART_BYTES": "3000", "REJECT_THRESHOLD_PERCENT": "40"}
BEHIND = ("plan", "extract", "transform", "gate", "load")


def result(pipeline: FakePipeline, output: dict[str, Any]) -> Any:
    """The items' fates, without how they were cut into parts and requests."""
    counts = {
        name: number
        for name, number in output["counts"].items()
        if not name.endswith(("_parts", "_bytes", "_requests"))
    }
    loaded = sorted(map(str, pipeline.dynamodb.tables["destination"]))
    return counts, loaded, pipeline.s3.objects[f"transform/{TIMESTAMP}/aggregates.json"]


def run(changed: dict[str, str], behind: str, *, crash: bool = False) -> Any:
    """Run with these variables from an invocation of the action ``behind`` on."""
    pipeline = FakePipeline(items(), segments=2)
    pipeline.units = 4
    with pipeline.deployed(BASE, MODULE), pytest.MonkeyPatch.context() as patch:
        invoke = pipeline._invoke

        def deploying(handler: Any, event: Any) -> Any:
            if crash and event["action"] == "transform" and not pipeline.invocations.count("transform"):
                # The attempt dies with parts of the old size written; the retry makes parts of the new size.
                pipeline.faults.fail(len(pipeline.faults.calls) + 6, Crash)
            answer = invoke(handler, event)
            if event["action"] == behind:
                for name, value in changed.items():
                    patch.setenv(name, value)
                _forget_adapters()
            return answer

        pipeline._invoke = deploying  # type: ignore[method-assign]
        return result(pipeline, pipeline.run())


@pytest.fixture(scope="module")
def unchanged() -> Any:
    return run({}, "plan")


def test_every_variable_is_either_harmless_or_fixed() -> None:
    optional = {setting.variable for setting in declared(OfTables).values()}
    assert HARMLESS.keys() | FIXED == ENVIRONMENT.keys() | optional
    assert not HARMLESS.keys() & FIXED


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("name", HARMLESS)
def test_a_setting_that_changes_during_a_run_does_no_harm(unchanged: Any, name: str, behind: str) -> None:
    assert run({name: HARMLESS[name][0]}, behind) == unchanged


@pytest.mark.parametrize("size", ["1024", "100000"])
def test_a_retry_may_cut_parts_in_another_size(unchanged: Any, size: str) -> None:
    assert run({"PART_BYTES": size}, "extract", crash=True) == unchanged


@pytest.mark.parametrize("behind", BEHIND)
def test_other_tables_in_the_middle_end_the_run(behind: str) -> None:
    with pytest.raises(CodeChangedError, match="a deployment came in between"):
        run({STORES: "staging source renamed ledger"}, behind)
