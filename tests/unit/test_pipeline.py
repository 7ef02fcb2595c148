"""Whole runs in memory: the handlers, called in the workflow's order with JSON in between."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypedDict

import pytest

from etl import extract, load, transform
from etl.handler import run_of, work_of
from etl.model.errors import CodeChangedError, ConfigurationError, EtlError
from etl.model.rejection import RejectedError
from etl.tables.ceiling import NO_CEILING, Pacer
from etl.tables.read_pace import read_pacer
from etl.user.aggregates import Aggregate
from etl.user.contract import Number
from tests.fakes.dynamodb import Item
from tests.fakes.faults import Crash, client_error
from tests.fakes.pipeline import EXECUTION, Context, FakePipeline
from tests.support import PIPELINE, ROOT
from tests.unit.builders import item, keys, staged, staging

TIMESTAMP = "20240116T020000123Z"
SECRET = "SECRET"  # what a record holds, and what no log line and no error may show


class Contract(TypedDict):
    id: str
    value: Number


FIXTURES = ROOT / PIPELINE


def reshape(record: dict[str, Any], _: Any) -> Any:
    """Reject some, drop some, make two of some, and keep the rest."""
    number = int(record["id"][-4:])
    if number % 17 == 0:
        raise RejectedError("expected another", field="value", got=record["name"])
    if number % 19 == 0:
        raise ValueError(record["name"])
    if number % 7 == 0:
        return None
    record |= {"group": f"group {number % 3}", "tags": {record["name"], "a"}, "half": record["value"] / 2}
    return [record, record | {"id": "twin of " + record["id"]}] if number % 5 == 0 else record


MODULE = SimpleNamespace(
    Contract=Contract,
    transform=reshape,
    AGGREGATES=[
        Aggregate(name="by_group", by=["group"], of={"half": ["sum", "min", "max", "avg"]}, load=True),
        Aggregate(name="all", of={"value": ["sum"]}),
    ],
)
ENVIRONMENT = {"PART_BYTES": "3000", "REJECT_THRESHOLD_PERCENT": "40"}


def items(count: int = 60) -> list[Item]:
    stamps = {8: "soon", 9: "2020-01-01T00:00:00Z"}
    return [
        item(n, timestamp=stamps.get(n % 11, "2024-01-15T10:00:00Z"), value=f"{n}.25", name={"S": f"{SECRET}-{n}"})
        for n in range(count)
    ]


def finished(
    disturb: Callable[[FakePipeline], None] = lambda _: None, *, count: int = 60, **more: Any
) -> tuple[FakePipeline, dict[str, Any]]:
    """A pipeline after a run, and the run's output."""
    pipeline = FakePipeline(items(count), **more)
    disturb(pipeline)
    with pipeline.deployed(ENVIRONMENT, MODULE):
        return pipeline, pipeline.run()


def destination(pipeline: FakePipeline) -> list[Item]:
    return sorted(pipeline.dynamodb.tables["destination"], key=lambda each: str(each["id"]))


COUNTED = ["scanned", "read", "extracted", "transformed", "dropped", "records", "loaded", "superseded"]
COUNTED += ["aggregate_records", "untimed", "rejected_transform", "rejected_load"]


def counts(output: dict[str, Any]) -> dict[str, int]:
    """The counts that do not depend on how the work was cut."""
    return {name: output["counts"].get(name, 0) for name in COUNTED}


def same(one: tuple[FakePipeline, dict[str, Any]], other: tuple[FakePipeline, dict[str, Any]]) -> None:
    assert counts(one[1]) == counts(other[1])
    assert destination(one[0]) == destination(other[0])
    key = f"transform/{TIMESTAMP}/aggregates.json"
    assert one[0].s3.objects[key] == other[0].s3.objects[key]


@pytest.fixture(scope="module", name="undisturbed")
def _undisturbed() -> tuple[FakePipeline, dict[str, Any]]:
    return finished(segments=2)


def test_a_run_accounts_for_every_item(undisturbed: tuple[FakePipeline, dict[str, Any]]) -> None:
    c = undisturbed[1]["counts"]

    assert c["scanned"] == 60
    assert c["read"] == c["extracted"]
    assert c["extracted"] == c["transformed"] + c["dropped"] + c["untimed"] + c["rejected_transform"]
    assert c["records"] == c["loaded"] + c["superseded"] + c["rejected_load"]
    assert len(destination(undisturbed[0])) == c["loaded"]
    assert all(c[name] for name in ("dropped", "untimed", "rejected_transform", "aggregate_records"))


def test_loaded_aggregates_are_at_the_destination(undisturbed: tuple[FakePipeline, dict[str, Any]]) -> None:
    found = [each for each in destination(undisturbed[0]) if each["id"]["S"].startswith("aggregate#")]

    assert [each["id"]["S"] for each in found] == [f'aggregate#by_group#["group {n}"]' for n in range(3)]
    assert all(each["timestamp"] == {"S": "2024-01-16T02:00:00Z"} for each in found)


def test_loaded_aggregates_add_up(undisturbed: tuple[FakePipeline, dict[str, Any]]) -> None:
    halves = [each["half"]["N"] for each in destination(undisturbed[0]) if "half" in each]
    sums = [each["half_sum"]["N"] for each in destination(undisturbed[0]) if "half_sum" in each]

    assert sum(map(Decimal, sums)) == sum(map(Decimal, halves))


def calls(undisturbed: tuple[FakePipeline, dict[str, Any]]) -> int:
    return len(undisturbed[0].faults.calls)


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_call_to_aws_changes_nothing(
    undisturbed: tuple[FakePipeline, dict[str, Any]], after: bool
) -> None:
    for number in range(1, calls(undisturbed) + 1):
        disturbed = finished(lambda pipeline, n=number: pipeline.faults.fail(n, after=after), segments=2)  # type: ignore[misc]

        same(disturbed, undisturbed)
        assert len(disturbed[0].invocations) == len(undisturbed[0].invocations) + 1


def test_a_crash_of_short_invocations_changes_nothing(
    undisturbed: tuple[FakePipeline, dict[str, Any]],
) -> None:
    def disturb(pipeline: FakePipeline, number: int) -> None:
        pipeline.units = 4
        pipeline.faults.fail(number)

    for number in range(2, 2 * calls(undisturbed), 5):
        same(finished(lambda pipeline, n=number: disturb(pipeline, n), segments=2), undisturbed)  # type: ignore[misc]


@pytest.mark.parametrize("units", [1, 2, 3, 4])
def test_invocations_that_run_out_of_time_change_nothing(
    undisturbed: tuple[FakePipeline, dict[str, Any]], units: int
) -> None:
    disturbed = finished(lambda pipeline: setattr(pipeline, "units", units), segments=2)

    same(disturbed, undisturbed)
    assert len(disturbed[0].invocations) > len(undisturbed[0].invocations)


@pytest.mark.parametrize("segments", [1, 3, 7])
@pytest.mark.parametrize("page_items", [1, 4, 100])
def test_segments_and_pages_change_nothing(
    undisturbed: tuple[FakePipeline, dict[str, Any]], segments: int, page_items: int
) -> None:
    same(finished(segments=segments, page_items=page_items), undisturbed)


def test_answers_that_botocore_has_parsed_change_nothing(undisturbed: tuple[FakePipeline, dict[str, Any]]) -> None:
    same(finished(lambda pipeline: setattr(pipeline.dynamodb, "raw", False), segments=2), undisturbed)


def test_a_second_run_of_a_window_changes_nothing() -> None:
    pipeline = FakePipeline(items())
    with pipeline.deployed(ENVIRONMENT, MODULE):
        window = {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}
        first = pipeline.run(window)
        once = destination(pipeline)
        second = pipeline.run(window, EXECUTION | {"id": "arn:2", "started_at": "2024-03-01T00:00:00Z"})

    assert destination(pipeline) == once
    assert counts(first) == counts(second)
    assert first["keys"]["extract"] != second["keys"]["extract"]


def test_runs_of_one_millisecond_do_not_share_an_object() -> None:
    pipeline = FakePipeline(items())
    with pipeline.deployed(ENVIRONMENT, MODULE):
        pipeline.run()
        first = dict(pipeline.s3.objects)
        second = pipeline.run(execution=EXECUTION | {"id": "arn:2"})

    assert second["run"] == "20240116T020000124Z"
    assert {key: pipeline.s3.objects[key] for key in first} == first


@pytest.mark.parametrize(
    "given",
    [
        {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"},
        {"lookback_hours": 24},
        {"time": "2024-01-16T02:00:00Z", "detail": {}},
        {"time": "2024-01-16T02:00:00Z", "detail": {"action": "start"}},
    ],
)
def test_every_kind_of_input_runs(given: dict[str, Any], undisturbed: tuple[FakePipeline, dict[str, Any]]) -> None:
    pipeline = FakePipeline(items())
    with pipeline.deployed(ENVIRONMENT, MODULE):
        assert counts(pipeline.run(given)) == counts(undisturbed[1])


def test_a_table_without_items_is_a_successful_run() -> None:
    pipeline, output = finished(count=0)

    assert output["status"] == "success"
    assert not any(count for name, count in counts(output).items() if name != "aggregate_records")
    assert not destination(pipeline)


def test_the_state_between_the_states_stays_small() -> None:
    pipeline = FakePipeline(items(200), segments=40)
    sizes: list[int] = []
    with pipeline.deployed(ENVIRONMENT, MODULE):
        invoke = pipeline._invoke

        def measure(handler: Any, event: Any) -> Any:
            sizes.append(len(json.dumps(event)))
            return invoke(handler, event)

        pipeline._invoke = measure  # type: ignore[method-assign]
        pipeline.run()

    assert max(sizes) < 16 * 1024


def log_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_invocation_is_a_line_of_json_without_a_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline, _ = finished(segments=2)
    lines = log_of(capsys)

    assert [line["action"] for line in lines] == pipeline.invocations
    assert all(line["message"] == "finished" and line["duration_ms"] >= 0 for line in lines)
    assert SECRET not in json.dumps(lines)


def denied(pipeline: FakePipeline) -> None:
    pipeline.faults.fail(3, lambda: client_error("AccessDenied", 403))


def throttled(pipeline: FakePipeline) -> None:
    pipeline.faults.fail(3, lambda: client_error("SlowDown", 503))


FAILURES: list[tuple[str, Any, str]] = [
    ("the input", bool, "InputError"),
    ("the source table", lambda pipeline: pipeline.dynamodb.tables.pop("source"), "ConfigurationError"),
    ("the destination table", lambda pipeline: pipeline.dynamodb.tables.pop("destination"), "ConfigurationError"),
    ("the bucket", lambda pipeline: setattr(pipeline.s3, "bucket", "other"), "ConfigurationError"),
    ("the grant", denied, "ConfigurationError"),
    ("throttling", throttled, "TransientError"),
]


@pytest.mark.parametrize(("disturb", "name"), [each[1:] for each in FAILURES], ids=[each[0] for each in FAILURES])
def test_a_failure_has_a_known_class_and_shows_no_record(
    disturb: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = FakePipeline(items())
    disturb(pipeline)
    with pipeline.deployed(ENVIRONMENT, MODULE), pytest.raises(EtlError) as error:
        pipeline.run({"begin": 1} if name == "InputError" else None)
    lines = log_of(capsys)

    assert type(error.value).__name__ == name
    assert (lines[-1]["level"], lines[-1]["message"]) == ("ERROR", "failed")
    assert SECRET not in str(error.value) + json.dumps(lines)


def spoil(body: bytes) -> bytes:
    return body.replace(b'"N":"', b'"N":"' + SECRET.encode())


TAMPERING: list[tuple[str, str, Any, str]] = [
    ("transform", "extract/", spoil, "StagingError"),
    ("transform", "extract/", lambda body: body[:-3], "StagingError"),
    ("transform", "extract/", lambda _: b"[\n]\n", "StagingError"),
    ("load", "transform/", lambda body: body.replace(b'"$set":[', b'"$set":[1,'), "StagingError"),
    ("load", "transform/", lambda body: body.replace(b'"id":', b'"no":'), "StagingError"),
    ("load", "transform/", lambda _: b"[\n]\n", "StagingError"),
]


@pytest.mark.parametrize(("stage", "prefix", "change", "name"), TAMPERING)
def test_a_changed_staged_object_fails_the_run_unseen(
    stage: str, prefix: str, change: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = FakePipeline(items())
    invoke = pipeline._invoke

    def tamper(handler: Any, event: Any) -> Any:
        if event["action"] == stage:
            for key in keys(pipeline.s3, prefix):
                if "partials" not in key and "aggregates" not in key:
                    pipeline.s3.objects[key] = change(pipeline.s3.objects[key])
        return invoke(handler, event)

    pipeline._invoke = tamper  # type: ignore[method-assign]
    with pipeline.deployed(ENVIRONMENT, MODULE), pytest.raises(EtlError) as error:
        pipeline.run()

    assert type(error.value).__name__ == name
    assert SECRET not in str(error.value) + json.dumps(log_of(capsys))


def test_too_many_rejected_items_fail_the_run_before_load(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = FakePipeline(items())
    with pipeline.deployed(ENVIRONMENT | {"REJECT_THRESHOLD_PERCENT": "1"}, MODULE), pytest.raises(EtlError) as error:
        pipeline.run()

    assert type(error.value).__name__ == "QualityGateError"
    assert not pipeline.dynamodb.tables["destination"]
    assert SECRET not in str(error.value) + json.dumps(log_of(capsys))


def test_quarantine_has_the_original_of_a_rejected_item() -> None:
    pipeline, output = finished()
    quarantine = staged(pipeline.s3, "quarantine/")
    originals = {each["id"]["S"]: each for each in items()}

    assert len(quarantine) == output["counts"]["rejected_transform"] + output["counts"]["untimed"]
    assert all(each["item"] == originals[each["item"]["id"]["S"]] for each in quarantine)
    assert {each["stage"] for each in quarantine} == {"transform"}
    assert {each["field"] for each in quarantine} == {"timestamp", "value", ""}


@pytest.mark.parametrize("stage", [extract, transform, load])
def test_a_missing_setting_is_a_configuration_error(stage: Any) -> None:
    actions = {extract: "extract", transform: "transform", load: "load"}
    pipeline = FakePipeline([])
    with pipeline.deployed({"STAGING_BUCKET": ""}), pytest.raises(ConfigurationError, match="STAGING_BUCKET"):
        stage.handler({"action": actions[stage]}, Context())


def test_a_transformation_that_cannot_be_used_fails_the_run() -> None:
    pipeline = FakePipeline(items())
    with (
        pipeline.deployed(ENVIRONMENT, SimpleNamespace(transform=reshape)),
        pytest.raises(EtlError, match=r"transformation\.py must define Contract") as error,
    ):
        pipeline.run()

    assert type(error.value).__name__ == "TransformationError"


@pytest.mark.parametrize(("ceiling", "rate"), [("0", None), ("100", 50.0)])
def test_the_workers_of_a_run_share_the_ceiling(ceiling: str, rate: float | None) -> None:
    rates: list[float | None] = []

    class Recording(Pacer):
        def __init__(self, units_per_second: float | None) -> None:
            rates.append(units_per_second)
            super().__init__(None)

    pipeline = FakePipeline(items(), segments=2)
    with (
        pytest.MonkeyPatch.context() as patch,
        pipeline.deployed(ENVIRONMENT | {"MAX_WRITE_UNITS_PER_SECOND": ceiling}, MODULE),
    ):
        patch.setattr(load, "Pacer", Recording)
        pipeline.run()

    assert rates == [rate, rate]


@pytest.mark.parametrize(("ceiling", "rates"), [("0", [None, None]), ("100", [50.0, 50.0]), ("71", [71.0])])
def test_the_workers_of_a_run_share_the_ceiling_on_reads(ceiling: str, rates: list[float | None]) -> None:
    found: list[float | None] = []

    def recording(units_per_second: int, workers: int) -> Pacer:
        found.append(read_pacer(units_per_second, workers).units_per_second)
        return NO_CEILING

    pipeline = FakePipeline(items(), segments=2)
    with (
        pytest.MonkeyPatch.context() as patch,
        pipeline.deployed(ENVIRONMENT | {"SOURCE_READ_UNITS_PER_SECOND": ceiling}, MODULE),
    ):
        patch.setattr(extract, "read_pacer", recording)
        output = pipeline.run()

    assert found == rates
    assert output["segments"] == len(rates)


def test_clients_and_settings_are_made_once() -> None:
    pipeline = FakePipeline(items())
    with pipeline.deployed(ENVIRONMENT, MODULE):
        pipeline.run()
        os.environ["STAGING_BUCKET"] = "another"

        assert pipeline.run(execution=EXECUTION | {"id": "arn:2"})["status"] == "success"


def digest() -> str:
    """The whole result of a run, as one number."""
    pipeline, output = finished(segments=3, page_items=7)
    left = [sorted(pipeline.s3.objects.items()), destination(pipeline), counts(output)]
    return hashlib.sha256(repr(left).encode()).hexdigest()


def test_a_run_leaves_the_same_bytes_in_every_process() -> None:
    path = f"import sys; sys.path.append({str(FIXTURES)!r})"
    program = f"{path}; from tests.unit.test_pipeline import digest; print(digest(), file=sys.stderr)"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[1].strip() for process in processes)

    assert first == second
    assert len(first) == 64


def test_a_worker_that_crashes_continues_at_its_last_cursor() -> None:
    pipeline = FakePipeline(items(), page_items=5)
    pipeline.units = 3
    with pipeline.deployed(ENVIRONMENT, MODULE):
        invoke = pipeline._invoke

        def crash_once(handler: Any, event: Any) -> Any:
            pipeline.faults.fail(len(pipeline.faults.calls) + 1, Crash)
            return invoke(handler, event)

        pipeline._invoke = crash_once  # type: ignore[method-assign]
        output = pipeline.run()

    same((pipeline, output), finished())


def test_a_deployment_during_a_run_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = FakePipeline(items(10))

    def deploy_behind_transform(handler: Any, event: Any) -> Any:
        if event["action"] == "gate":
            monkeypatch.setattr("etl.handler.code_version", lambda _: "another")
        return invoke(handler, event)

    invoke = pipeline._invoke
    monkeypatch.setattr(pipeline, "_invoke", deploy_behind_transform)
    with pipeline.deployed(ENVIRONMENT, MODULE), pytest.raises(CodeChangedError, match=r"other code .*Start a new run"):
        pipeline.run()

    assert pipeline.dynamodb.tables["destination"] == []


def test_a_retry_takes_its_records_through_a_child_process() -> None:
    def leave(record: dict[str, Any], _: Any) -> dict[str, Any]:
        if record["id"] == "item-0003":
            os._exit(1)
        return record

    pipeline = FakePipeline([item(number) for number in range(30)])
    invoke = pipeline._invoke

    def retried(handler: Any, event: Any) -> Any:
        if event["action"] != "transform":
            return invoke(handler, event)
        # The attempt before has begun, and died.
        staging(pipeline.s3).begins("transform", run_of(event), work_of(event))
        return invoke(handler, event | {"retry": 1})

    pipeline._invoke = retried  # type: ignore[method-assign]
    with pipeline.deployed(module=SimpleNamespace(Contract=Contract, transform=leave)):
        output = pipeline.run()

    assert (output["counts"]["loaded"], output["counts"]["rejected_transform"]) == (29, 1)
    assert [each["item"]["id"]["S"] for each in staged(pipeline.s3, "quarantine/")] == ["item-0003"]


@pytest.mark.parametrize("action", ["transform", "load"])
def test_a_retry_empties_the_quarantine_of_a_dead_attempt(action: str) -> None:
    pipeline = FakePipeline([item(number) for number in range(3)])
    invoke, left = pipeline._invoke, f"quarantine/{TIMESTAMP}/{action}-0000-0000.json"

    def retried(handler: Any, event: Any) -> Any:
        if event["action"] != action:
            return invoke(handler, event)
        # The attempt before has set a record aside that its retry takes.
        staging(pipeline.s3).begins(action, run_of(event), work_of(event))
        staging(pipeline.s3).put(left, b"[\n{}\n]\n")
        return invoke(handler, event | {"retry": 1})

    pipeline._invoke = retried  # type: ignore[method-assign]
    with pipeline.deployed(module=SimpleNamespace(Contract=Contract, transform=lambda record, _: record)):
        assert pipeline.run()["counts"]["loaded"] == 3

    assert staging(pipeline.s3).records(left) == 0


def test_a_retry_is_a_first_attempt_where_none_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda had no place for the attempts before: no worker has died, and its records need no child process."""
    monkeypatch.setattr("etl.user.isolation.IsolatedTransformer.__init__", lambda *_: pytest.fail("a child process"))
    pipeline = FakePipeline([item(number) for number in range(60)], segments=2)
    invoke = pipeline._invoke
    pipeline._invoke = lambda handler, event: invoke(handler, event | {"retry": 7})  # type: ignore[method-assign]
    pipeline.units = 4
    with pipeline.deployed():
        output = pipeline.run()

    assert output["counts"]["loaded"] == 60
    assert pipeline.invocations.count("transform") > 2


def test_every_timestamp_is_accounted_for() -> None:
    stamps = ["2024-01-15T10:00:00Z", "2O24-01-15T10:00:00Z", "202O-01-15T10:00:00Z", "2024-O1-15T10:00:00Z"]
    stamps += ["3000-01-01T00:00:00Z", "20\uff124-01-15T10:00:00Z", "2024-01-16T02:00:00.5Z", "1O24-01-15T10:00:00Z"]
    pipeline = FakePipeline([item(number, timestamp=stamp) for number, stamp in enumerate(stamps)])
    with pipeline.deployed({"REJECT_THRESHOLD_PERCENT": "0"}):
        counts = pipeline.run()["counts"]

    assert (counts["read"], counts["loaded"], counts["ahead"], counts["untimed"]) == (8, 1, 2, 5)
    assert counts["rejected_transform"] == 0


UNTIMED = [
    item(n, timestamp=stamp) for n, stamp in enumerate(("soon", "2024-01-15T10:00:00+0000", "2024-01-15T25:00:00Z"))
]


def test_a_table_of_items_without_a_time_alone_fails_no_run() -> None:
    pipeline = FakePipeline(UNTIMED)
    with pipeline.deployed({"REJECT_THRESHOLD_PERCENT": "0", "DROP_THRESHOLD_PERCENT": "0"}):
        output = pipeline.run()
        small = pipeline.run({"start": "2024-01-01", "end": "2024-01-02"}, EXECUTION | {"id": "arn:2"})

    assert {name: output["counts"].get(name) for name in ("read", "untimed", "loaded", "rejected_transform")} == {
        "read": 3,
        "untimed": 3,
        "loaded": 0,
        "rejected_transform": 0,
    }
    assert (small["status"], small["counts"]["untimed"]) == ("success", 2)  # one sorts into another window
    assert pipeline.dynamodb.tables["destination"] == []
    assert len(staged(pipeline.s3, f"quarantine/{output['run']}/")) == 3


def test_items_without_a_time_do_not_hide_rejected_items() -> None:
    pipeline = FakePipeline([*UNTIMED, item(7, value="-1"), *(item(n) for n in range(10, 19))])
    with pipeline.deployed({"REJECT_THRESHOLD_PERCENT": "9.9"}), pytest.raises(EtlError) as error:
        pipeline.run()

    assert "1 of 10 items were rejected" in str(error.value)
    assert "timestamp" not in str(error.value)
    with pipeline.deployed({"REJECT_THRESHOLD_PERCENT": "10"}):
        assert pipeline.run(execution=EXECUTION | {"id": "arn:2"})["counts"]["loaded"] == 9
