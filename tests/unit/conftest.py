"""Property tests run the same examples every time, so that a failure in CI is one that everybody sees."""

from collections.abc import Generator

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

# They run code that other tests cover, thousands of times or in other processes. Tracing it would double their time.
UNTRACED = {
    "test_aggregates.py::test_each_group_has_its_records_and_functions",
    "test_attribute_values.py::test_items_are_written_as_boto3_writes_them",
    "test_attribute_values.py::test_items_read_as_boto3_reads_them",
    "test_catch_up.py",
    "test_ceiling.py",
    "test_exactness.py",
    "test_hostile_inputs.py",
    "test_hostile_records.py",
    "test_hostile_staging.py",
    "test_isolation.py::test_a_record_that_no_memory_holds_is_told_by_its_size",
    "test_isolation.py::test_a_transformation_that_keeps_memory_costs_no_record",
    "test_load.py::test_a_crash_at_any_call_leaves_the_same_destination",
    "test_load.py::test_a_request_is_always_less_than_16_mb",
    "test_load.py::test_bytes_in_flight_are_bounded_and_a_larger_batch_is_alone",
    "test_pipeline.py::test_a_crash_at_any_call_to_aws_changes_nothing",
    "test_pipeline.py::test_a_crash_of_short_invocations_changes_nothing",
    "test_scan_pace.py",
    "test_staging.py::test_an_array_that_was_cut_off_anywhere_is_a_staging_error",
    "test_staging.py::test_any_read_size_and_resumption_give_the_same_records",
    "test_iso_time.py::test_a_time_is_picked_if_and_only_if_it_is_in_the_window",
    "test_transform.py::test_a_crash_at_any_call_changes_nothing",
    "test_transformer.py::test_the_results_of_one_record_stay_within_their_memory",
    "test_user_code.py::test_a_record_larger_than_an_item_is_rejected_with_its_size",
    "test_user_code.py::test_maps_of_nothing_reject_a_record_whose_line_is_too_long",
    "test_worker_memory.py",
}

settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Pause every measurement of coverage for an untraced test.

    A process of pytest-xdist has two measurements by pytest-cov, whose marker ``no_cover`` pauses one of them.
    """
    test = item.nodeid.rpartition("/")[2].partition("[")[0]
    paused: list[Coverage] = []
    if test in UNTRACED or test.partition("::")[0] in UNTRACED:
        while measurement := Coverage.current():
            measurement.stop()
            paused.append(measurement)
    try:
        return (yield)
    finally:
        for measurement in reversed(paused):
            measurement.start()
