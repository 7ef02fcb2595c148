import json

import pytest

from etl.model.rejection import RejectedError, UntimedError
from etl.staging.quarantine import rejected_line
from tests.unit.builders import run

ITEM = b'{"id":{"S":"\\u00e9"},  "n":{"N":"1.50"}}'


def test_a_rejected_record_says_where_and_why() -> None:
    line = json.loads(
        rejected_line("transform", run(), 3, RejectedError("expected a number >= 0", field="value", got="-5"), b"{}")
    )

    assert line == {
        "stage": "transform",
        "reason": "value: expected a number >= 0, got -5",
        "field": "value",
        "rule": "expected a number >= 0",
        "got": "-5",
        "summary": RejectedError.summary,
        "untimed": False,
        "run": "20240116T020000123Z",
        "segment": 3,
        "item": {},
    }


def test_a_record_without_a_time_is_told_from_rejected_ones() -> None:
    line = json.loads(
        rejected_line("transform", run(), 3, UntimedError("expected a time", field="timestamp", got="'soon'"), b"{}")
    )

    assert line["untimed"] is True


def test_the_item_is_there_as_its_original_bytes() -> None:
    line = rejected_line("transform", run(), 0, RejectedError("expected a", got="b"), ITEM)

    assert line.endswith(b',"item":' + ITEM + b"}")


@pytest.mark.parametrize("text", ["\ud800", "a\nb", '"', "\u2028", "名前"])
def test_a_line_is_one_line_of_json_whatever_the_reason_says(text: str) -> None:
    line = rejected_line("transform", run(), 0, RejectedError(text, field=text, got=text), ITEM)

    assert b"\n" not in line
    assert json.loads(line.decode())["got"] == text.encode(errors="backslashreplace").decode()
