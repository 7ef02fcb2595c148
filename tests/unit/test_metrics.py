import json
from pathlib import Path
from typing import Any

import pytest

from etl.invocation import metrics
from etl.model.stages import STAGES
from tests.fakes.dynamodb import Item
from tests.fakes.pipeline import FakePipeline
from tests.unit.builders import item, work

# Source: Amazon CloudWatch user guide, "Specification: Embedded metric format", JSON schema.
MOST_METRICS = 100
UNITS = {"Count", "Bytes", "Percent", "Milliseconds", "Megabytes"}


@pytest.mark.parametrize(
    ("action", "counts", "added"),
    [
        (
            "extract",
            {"scanned": 3, "read": 2, "extract_bytes": 9},
            {"ItemsScanned": 3, "ItemsRead": 2, "BytesStaged": 9},
        ),
        (
            "transform",
            {"transformed": 1, "dropped": 2, "rejected_transform": 3, "untimed": 5, "transform_bytes": 4},
            {"ItemsTransformed": 1, "ItemsDropped": 2, "ItemsRejected": 3, "ItemsUntimed": 5, "BytesStaged": 4},
        ),
        (
            "load",
            {"loaded": 1, "superseded": 2, "rejected_load": 3, "load_throttled": 4},
            {"ItemsLoaded": 1, "ItemsSuperseded": 2, "ItemsRejected": 3, "Throttles": 4},
        ),
    ],
)
def test_a_worker_measures_what_it_added(action: str, counts: dict[str, Any], added: dict[str, int]) -> None:
    more: dict[str, Any] = {name: 100 + count for name, count in counts.items()}
    hundreds: dict[str, Any] = dict.fromkeys(counts, 100)
    before, after = work(**hundreds), work(**more)

    assert metrics.worked(action, work(), work(**counts)) == added
    assert metrics.worked(action, before, after) == added
    assert set(metrics.worked(action, before, before).values()) == {0}


@pytest.mark.parametrize(
    ("action", "counts", "share"),
    [
        ("gate", {"rejected_transform": 1, "read": 3, "rejected_load": 3, "records": 3}, 33.333),
        ("finish", {"rejected_transform": 1, "read": 3, "rejected_load": 3, "records": 3}, 100),
        ("gate", {"rejected_transform": 1, "read": 9, "ahead": 2, "untimed": 3}, 25),
        ("gate", {"read": 3, "untimed": 3}, 0),
        ("gate", {"read": 3}, 0),
        ("gate", {}, 0),
    ],
)
def test_the_measured_share_is_the_judged_share(action: str, counts: dict[str, int], share: float) -> None:
    assert metrics.judged_share(action, counts) == {"RejectedShare": share}


def test_other_stages_have_no_share() -> None:
    assert metrics.judged_share("load", {"read": 1}) == {}


@pytest.mark.parametrize(
    ("action", "duration_ms", "remaining_ms", "memory_mb", "near"),
    [
        ("extract", 294_000, 6_000, 300, 0),  # what a worker leaves for closing
        ("load", 298_000, 2_000, 300, 0),
        ("load", 298_001, 1_999, 300, 1),
        ("gate", 240_000, 60_000, 300, 0),
        ("gate", 240_001, 59_999, 300, 1),
        ("plan", 10, 299_990, 460, 0),
        ("plan", 10, 299_990, 461, 1),
    ],
)
def test_an_invocation_is_near_its_limits(
    action: str, duration_ms: int, remaining_ms: int, memory_mb: float, near: int
) -> None:
    found = metrics.used(action, duration_ms, remaining_ms, memory_mb, 512)

    assert found == {"Duration": duration_ms, "MemoryUsed": memory_mb, "NearLimit": near}


def check_document(line: dict[str, Any]) -> None:
    """Check that CloudWatch takes the line: every metric is a number, every dimension a text, at its root."""
    document = line["_aws"]
    assert set(document) == {"Timestamp", "CloudWatchMetrics"}
    assert type(document["Timestamp"]) is int
    told: list[str] = []
    for directive in document["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 0 < len(directive["Metrics"]) <= MOST_METRICS
        for dimensions in directive["Dimensions"]:
            assert all(type(line[name]) is str for name in dimensions)
        for metric in directive["Metrics"]:
            assert set(metric) == {"Name", "Unit"}
            assert metric["Unit"] in UNITS
            assert type(line[metric["Name"]]) in (int, float)
            told.append(metric["Name"])
    assert sorted(told) == sorted(name for name in metrics.UNITS if name in line)


def test_metrics_have_no_dimension_or_that_of_the_stage() -> None:
    values = {"RejectedShare": 0.5, "Duration": 7, "MemoryUsed": 80.5, "Retries": 0}
    line = metrics.embedded("gate", values, 1705370400123, "EtlPipeline")

    check_document(line)
    assert line == {
        "Stage": "Gate",
        "RejectedShare": 0.5,
        "Duration": 7,
        "MemoryUsed": 80.5,
        "Retries": 0,
        "_aws": {
            "Timestamp": 1705370400123,
            "CloudWatchMetrics": [
                {
                    "Namespace": "EtlPipeline",
                    "Dimensions": [[]],
                    "Metrics": [{"Name": "RejectedShare", "Unit": "Percent"}, {"Name": "Retries", "Unit": "Count"}],
                },
                {
                    "Namespace": "EtlPipeline",
                    "Dimensions": [["Stage"]],
                    "Metrics": [
                        {"Name": "Duration", "Unit": "Milliseconds"},
                        {"Name": "MemoryUsed", "Unit": "Megabytes"},
                    ],
                },
            ],
        },
    }


def items() -> list[Item]:
    """Items of the window, of another day and without a time; some break the contract."""
    return [
        *(item(number) for number in range(32)),
        *(item(number, value="-1") for number in range(50, 53)),
        *(item(number, timestamp="2023-12-01T00:00:00Z") for number in range(60, 65)),
        *(item(number, timestamp="soon") for number in range(70, 72)),
    ]


@pytest.mark.parametrize(("units", "segments"), [(1_000_000, 1), (1_000_000, 4), (1, 1), (1, 4)])
def test_the_sums_over_a_run_are_its_counts(capsys: pytest.CaptureFixture[str], units: int, segments: int) -> None:
    pipeline = FakePipeline(items(), page_items=5, segments=segments)
    pipeline.units = units
    with pipeline.deployed({"REJECT_THRESHOLD_PERCENT": "10"}):
        counts = pipeline.run()["counts"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    for line in lines:
        check_document(line)
    assert len(lines) == len(pipeline.invocations)
    assert (len(lines) > sum(segments if stage.is_map else 1 for stage in STAGES)) == (units == 1), (
        "a worker goes on only when its time is short"
    )
    sums = {name: sum(line.get(name, 0) for line in lines) for name in metrics.UNITS}
    told = {name: total for name, total in sums.items() if name.startswith("Items") or name == "BytesStaged"}
    assert told == {
        "ItemsScanned": 42,
        "ItemsRead": 37,
        "ItemsTransformed": 32,
        "ItemsDropped": 0,
        "ItemsRejected": 3,
        "ItemsUntimed": 2,
        "ItemsLoaded": 32,
        "ItemsSuperseded": 0,
        "BytesStaged": counts["extract_bytes"] + counts["transform_bytes"],
    }
    assert [line["RejectedShare"] for line in lines if "RejectedShare" in line] == [round(300 / 35, 3), 0]


def test_the_peak_of_memory_is_read_from_linux(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmPeak:\t  900000 kB\nVmHWM:\t   81920 kB\nVmRSS:\t   70000 kB\n")

    assert metrics.peak_memory_mb(status) == 80
    assert metrics.peak_memory_mb(tmp_path / "missing") > 0
    status.write_text("Name:\tpython\n")
    assert metrics.peak_memory_mb(status) > 0
    assert 5 < metrics.peak_memory_mb() < 4096
