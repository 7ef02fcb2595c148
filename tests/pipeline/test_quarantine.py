"""Unusable items are set aside: never skipped, with the reason, and with their original bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from string import ascii_letters
from typing import Any

from tests.etl_pipeline.values import Item
from tests.pipeline.execution import Window, text
from tests.pipeline.modes import both_modes
from tests.pipeline.pipeline import Pipeline

VALID_TIMESTAMPS = (
    "2024-01-15T10:00:00Z",
    "2024-01-15T10:00:00.5Z",
    "2024-01-15T10:00:00.123456Z",
    "2024-01-15T10:00:00.123456789012345678901234567890Z",
    "2024-02-29T23:59:59.999Z",
    "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "1999-12-31T23:59:59Z",
)
INVALID_TIMESTAMPS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"N": "1705312800"},
    {"NULL": True},
    {"BOOL": True},
    {"B": b"2024-01-15T10:00:00Z"},
    {"SS": ["2024-01-15T10:00:00Z"]},
    {"M": {"$date": {"S": "2024-01-15T10:00:00Z"}}},
    {"L": [{"S": "2024-01-15T10:00:00Z"}]},
    *(
        {"S": shape}
        for shape in (
            "",
            " ",
            "yesterday",
            "1705312800",
            "1705312800000.00000000",
            "2024-01-15",
            "2024-01-15T10:00Z",
            "2024-01-15T10:00:00",
            "2024-01-15T10:00:00.123",
            "2024-01-15T10:00:00+00:00",
            "2024-01-15T10:00:00+01:00",
            "2024-01-15T10:00:00.123+01:00",
            "2024-01-15 10:00:00Z",
            "2024-01-15 10:00:00.000Z",
            "2024-01-15t10:00:00z",
            "2024-01-15T10:00:00.Z",
            "2024-01-15T10:00:00,5Z",
            "2024-01-15T10:00:00ZZ",
            "2024-01-15T10:00:00Z ",
            " 2024-01-15T10:00:00Z",
            "\n2024-01-15T10:00:00Z",
            "2024-01-15T10:00:00Z\n",
            "2O24-01-15T10:00:00Z",
            "202O-01-15T10:00:00Z",
            "2024-O1-15T10:00:00Z",
            "2024-01-15T1O:00:00Z",
            "20:24-01-15T10:00:00Z",
            "2\uff1024-01-15T10:00:00Z",
            "2024-13-15T10:00:00Z",
            "2024-02-30T10:00:00Z",
            "2023-02-29T10:00:00Z",
            "2024-00-10T10:00:00Z",
            "2024-01-00T10:00:00Z",
            "2024-01-15T24:00:00Z",
            "2024-01-15T10:60:00Z",
            "2024-01-15T23:59:60Z",
            "2024-1-15T10:00:00.000Z",
            "20240115T100000Z",
            "20240115T100000.000000000Z",
            "2024-W03-1T10:00:00Z",
            "2024-015T10:00:00.0000Z",
            "+2024-01-15T10:00:00Z",
            "-2024-01-15T10:00:00Z",
            "12024-01-15T10:00:00Z",
            "\u0662\u0660\u0662\u0664-01-15T10:00:00Z",
            "\uff12\uff10\uff12\uff14-01-15T10:00:00Z",
            "15/01/2024 10:00:00 UTC",
            "Mon, 15 Jan 2024 10:00:00 GMT",
            "~~~~-~~-~~T~~:~~:~~Z",
            "ZT-:ZT-:ZT-:ZT-:ZT-:ZT-:",
            "🕙🕙🕙🕙-🕙-🕙T🕙:🕙:🕙Z",
            "2" * 1000,
        )
    ),
)


def test_every_timestamp_is_in_its_window_or_in_quarantine(pipeline: Pipeline) -> None:
    valid = pipeline.put(pipeline.item(f"valid{n:02d}", shape) for n, shape in enumerate(VALID_TIMESTAMPS))
    pipeline.put(pipeline.item(f"invalid{n:02d}", "", timestamp=shape) for n, shape in enumerate(INVALID_TIMESTAMPS))
    everything = {"start": "0001-01-01", "end": "2026-01-01"}

    with pipeline.configured("etl-transform", REJECT_THRESHOLD_PERCENT="0"):
        execution = pipeline.run(everything)

    assert pipeline.quarantined(execution).keys() == {f"invalid{n:02d}" for n in range(len(INVALID_TIMESTAMPS))}
    counts = execution.counts
    assert counts["read"] == counts["extracted"] == len(VALID_TIMESTAMPS) + len(INVALID_TIMESTAMPS)
    assert (counts["untimed"], counts["rejected_transform"]) == (len(INVALID_TIMESTAMPS), 0)
    pipeline.expect_destination(valid, "2026-01-01T00:00:00Z")


def test_what_cannot_be_a_time_is_found_whatever_the_window(pipeline: Pipeline, window: Window) -> None:
    shapes = [shape for shape in INVALID_TIMESTAMPS if not _has_the_signs_of_a_time(shape)]
    pipeline.put(pipeline.item(f"{n}", "", timestamp=shape) for n, shape in enumerate(shapes))
    pipeline.put(pipeline.item(f"valid{n}", shape) for n, shape in enumerate(VALID_TIMESTAMPS))

    execution = pipeline.run(window.input)

    assert pipeline.quarantined(execution).keys() == {f"{n}" for n in range(len(shapes))}
    assert pipeline.loaded_names() == set()


def _has_the_signs_of_a_time(shape: dict[str, Any] | None) -> bool:
    found = (shape or {}).get("S", "")
    letters = set(ascii_letters) - {"T", "Z"}
    return (
        len(found) >= 20
        and "0" <= found[0] <= "9"
        and all(sign in found for sign in "-T:Z")
        and letters.isdisjoint(found)
        and found < text(datetime.now(UTC))
    )


def test_a_windows_bounds_are_exact_to_the_second(pipeline: Pipeline, window: Window) -> None:
    hour = window.first + timedelta(hours=10)
    instants = [hour + timedelta(seconds=offset) for offset in (-2, -1, 0, 1, 2)]
    fractions = ("", ".000000001", ".1", ".5", ".999999999999")
    stamps = [text(instant)[:-1] + fraction + "Z" for instant in instants for fraction in fractions]
    pipeline.put(pipeline.item(stamp, stamp) for stamp in stamps)

    for start, end in ((-2, 0), (0, 1), (1, 2)):
        bounds = {
            "start": text(hour + timedelta(seconds=start)),
            "end": text(hour + timedelta(seconds=end)),
        }
        execution = pipeline.run(bounds)
        inside = {stamp for stamp in stamps if bounds["start"][:-1] <= stamp[:-1] < bounds["end"][:-1]}
        staged = pipeline.document(f"extract/{execution.run}/data.json")
        assert {item["timestamp"]["S"] for item in staged} == inside
        assert len(inside) == (end - start) * len(fractions)


def breaking_the_contract(pipeline: Pipeline, window: Window) -> dict[str, tuple[Item, str]]:
    """An item for each way of breaking the contract, with the attribute that is to blame."""
    shapes: dict[str, tuple[dict[str, dict[str, Any] | None], str]] = {
        "no-value": ({"value": None}, "value"),
        "text-value": ({"value": {"S": "100"}}, "value"),
        "true-value": ({"value": {"BOOL": True}}, "value"),
        "null-value": ({"value": {"NULL": True}}, "value"),
        "set-value": ({"value": {"NS": ["1"]}}, "value"),
        "negative-value": ({"value": {"N": "-0.01"}}, "value"),
    }
    return {
        name: (pipeline.item(name, window.at(number), **attributes), field)
        for number, (name, (attributes, field)) in enumerate(shapes.items())
    }


@both_modes
def test_each_rejected_record_keeps_its_bytes_and_its_reason(pipeline: Pipeline, window: Window) -> None:
    good = pipeline.put(pipeline.item(f"good{n}", window.at(n)) for n in range(40))
    broken = breaking_the_contract(pipeline, window)
    broken["untimed"] = (pipeline.item("untimed", "", timestamp=None, note={"S": 'ä "quoted"'}), "timestamp")
    pipeline.put(item for item, _ in broken.values())
    (large,) = pipeline.put([pipeline.largest_item("large", window.at(99))])

    with pipeline.configured("etl-transform", REJECT_THRESHOLD_PERCENT="100"):
        execution = pipeline.run(window.input)

    pipeline.expect_destination(good, window.end)
    found = pipeline.quarantined(execution)
    assert found.keys() == {"large", *broken}
    staged = {json.loads(line)["id"]["S"]: line for line in pipeline.lines(f"extract/{execution.run}/data.json")}
    for name, (item, field) in broken.items():
        original = staged[item["id"]["S"]]
        assert original == _as_scanned(pipeline, item)
        _expect_bytes(found[name], "transform", field, original)
    records = {json.loads(line)["id"]: line for line in pipeline.lines(f"transform/{execution.run}/data.json")}
    _expect_bytes(found["large"], "load", "", records[large["id"]["S"]])
    for line in found.values():
        facts = json.loads(line)
        assert (facts["run"], facts["segment"]) == (execution.run, 0)
        assert facts["rule"]


def _expect_bytes(line: bytes, stage: str, field: str, original: bytes) -> None:
    facts = json.loads(line)
    assert (facts["stage"], facts["field"]) == (stage, field)
    got = f", got {facts['got']}" if facts["got"] else ""
    assert facts["reason"] == f"{field or 'record'}: {facts['rule']}{got}"
    assert line.endswith(b'"item":' + original + b"}")


def _as_scanned(pipeline: Pipeline, item: Item) -> bytes:
    """The bytes of an item in DynamoDB's own answer to a scan."""
    bodies: list[bytes] = []
    client = pipeline.clients.session.client("dynamodb", **pipeline.clients.options)
    client.meta.events.register(
        "before-parse.dynamodb.Scan", lambda response_dict, **_: bodies.append(response_dict["body"])
    )
    client.scan(
        TableName=pipeline.deployed.source_table,
        FilterExpression="id = :id",
        ExpressionAttributeValues={":id": item["id"]},
    )
    decoder = json.JSONDecoder()
    body = bodies[0].decode()
    start = body.index("[", body.index('"Items"')) + 1
    _, end = decoder.raw_decode(body, start)
    return body[start:end].encode()


def test_quarantine_below_the_threshold_does_not_stop_a_run(pipeline: Pipeline, window: Window) -> None:
    good = pipeline.put(pipeline.item(f"{n}", window.at(n)) for n in range(95))
    pipeline.put(pipeline.item(f"bad{n}", window.at(n), value={"S": "x"}) for n in range(5))

    execution = pipeline.run(window.input)  # 5 % is allowed, more is not

    assert execution.counts["rejected_transform"] == 5
    pipeline.expect_destination(good, window.end)
