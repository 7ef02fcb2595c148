import pytest

from etl.staging.keys import aggregates_key, manifest_key, part_key, partial_key, quarantine_key
from tests.unit.builders import run

TIMESTAMP = "20240116T020000123Z"


@pytest.mark.parametrize("stage", ["extract", "transform"])
def test_the_only_part_of_a_run_of_one_segment_is_data_json(stage: str) -> None:
    assert part_key(stage, run(), 0, 0) == f"{stage}/{TIMESTAMP}/data.json"


def test_further_parts_of_one_segment_have_numbers() -> None:
    assert part_key("extract", run(), 0, 1) == f"extract/{TIMESTAMP}/0000-0001.json"


def test_all_parts_of_several_segments_have_numbers() -> None:
    assert part_key("extract", run(segments=2), 1, 0) == f"extract/{TIMESTAMP}/0001-0000.json"


def test_parts_of_a_run_never_share_a_key() -> None:
    keys = {part_key("extract", run(segments=3), segment, part) for segment in range(3) for part in range(3)}

    assert len(keys) == 9


def test_quarantine_is_by_run_stage_segment_and_part() -> None:
    assert quarantine_key("load", run(), 2, 3) == f"quarantine/{TIMESTAMP}/load-0002-0003.json"


def test_partial_aggregates_are_by_segment_and_part() -> None:
    assert partial_key(run(), 2, 3) == f"transform/{TIMESTAMP}/partials/0002-0003.json"


def test_merged_aggregates_are_by_run() -> None:
    assert aggregates_key(run()) == f"transform/{TIMESTAMP}/aggregates.json"


def test_the_manifest_is_by_timestamp() -> None:
    assert manifest_key(TIMESTAMP) == f"extract/{TIMESTAMP}/run.json"
