import json
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from hypothesis import given
from hypothesis import strategies as st

from etl.model.errors import StagingError
from etl.model.limits import READ_BYTES
from etl.model.run import Work
from etl.staging.batches import BATCH_BYTES, BATCH_RECORDS, Batch, cut_batches
from etl.staging.bucket import Staging
from tests.fakes.faults import client_error
from tests.fakes.s3 import FakeS3
from tests.unit.builders import array, hold, run, staging, work

KEY = "extract/x/data.json"
RECORDS = st.lists(
    st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.sampled_from(["]", "[", ",", "],["]), max_size=2),
    max_size=60,
)


def holding(body: bytes, key: str = KEY) -> FakeS3:
    s3 = FakeS3()
    hold(s3, key, body)
    return s3


def batches(body: bytes, offset: int = 0, **more: Any) -> list[Batch]:
    return list(staging(holding(body), **more).batches(KEY, offset))


def records(found: list[Batch]) -> list[Any]:
    return [json.loads(line) for batch in found for line in batch.lines]


def numbered(count: int) -> list[dict[str, int]]:
    return [{"n": n} for n in range(count)]


def test_a_put_object_can_be_read() -> None:
    s3 = FakeS3()
    staging(s3).put(KEY, b"[]")

    assert staging(s3).get(KEY) == b"[]"
    assert s3.types[KEY] == "application/json"


def test_a_small_object_is_read_whole_without_a_range() -> None:
    s3 = holding(b"x" * 100)
    staging(s3, read_bytes=10).get(KEY)

    assert s3.ranges == [None]


def test_an_object_is_put_where_there_is_none() -> None:
    s3 = FakeS3()

    assert staging(s3).put_if_absent(KEY, b"mine")
    assert (s3.objects[KEY], s3.types[KEY]) == (b"mine", "application/json")


def test_an_object_that_is_there_is_left_alone() -> None:
    s3 = holding(b"other")

    assert not staging(s3).put_if_absent(KEY, b"mine")
    assert s3.objects[KEY] == b"other"


def test_a_conditional_put_that_fails_otherwise_is_an_error() -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        Staging(FakeS3("other"), "staging").put_if_absent(KEY, b"mine")  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 50, 51])
def test_records_come_in_batches_of_25(count: int) -> None:
    found = batches(array(numbered(count)))

    assert records(found) == numbered(count)
    assert [len(batch.lines) for batch in found[:-1]] == [BATCH_RECORDS] * (len(found) - 1)


def long(*sizes: int) -> bytes:
    """Records of so many bytes each."""
    return array(["x" * (size - 2) for size in sizes])


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        ([4096] * 60, [25, 25, 10]),
        ([BATCH_BYTES // 25] * 51, [25, 25, 1]),
        ([BATCH_BYTES // 25 + 1] * 26, [24, 2]),
        ([400_000] * 5, [2, 2, 1]),
        ([BATCH_BYTES] * 3, [1, 1, 1]),
        ([10, 4_000_000, 10, 10], [1, 1, 2]),
        ([4_000_000, 4_000_000], [1, 1]),
        ([*[10] * 30, 1_000_000, 100_000, 10], [25, 6, 2]),
    ],
)
def test_a_batch_of_several_records_is_bounded_by_bytes(sizes: list[int], lengths: list[int]) -> None:
    found = batches(long(*sizes))

    assert [len(batch.lines) for batch in found] == lengths
    assert [len(line) for batch in found for line in batch.lines] == sizes
    assert all(len(batch.lines) == 1 or sum(map(len, batch.lines)) <= BATCH_BYTES for batch in found)


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(1, 300))
def test_lines_are_cut_into_the_batches_of_an_object(sizes: list[int], most_bytes: int) -> None:
    lines = [b'"' + b"x" * size + b'"' for size in sizes]
    found = batches(b"[\n" + b",\n".join(lines) + b"\n]\n", batch_bytes=most_bytes) if lines else []

    assert list(cut_batches(lines, most_bytes)) == [batch.lines for batch in found]


def test_no_more_than_what_was_read_and_a_batch_is_waiting() -> None:
    """Lines that no batch has taken are few, whatever is behind them."""
    s3 = holding(long(*[400_000] * 30))
    found = staging(s3).batches(KEY)
    taken = 0
    for batch in found:
        taken += sum(map(len, batch.lines))
        assert len(s3.ranges) * READ_BYTES <= taken + READ_BYTES + BATCH_BYTES


def test_a_retry_has_smaller_batches_but_not_of_small_records() -> None:
    def found(*sizes: int) -> list[int]:
        return [len(batch.lines) for batch in staging(holding(long(*sizes))).for_retry().batches(KEY)]

    assert found(*[4096] * 60) == [25, 25, 10]
    assert found(*[200_000] * 3) == [1, 1, 1]


@pytest.mark.parametrize("size", [2, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])
def test_an_object_is_begun_with_a_mebibyte_and_then_read_whole(size: int) -> None:
    s3 = holding(b"x" * size)
    whole = staging(s3).begun(KEY)
    assert s3.ranges == ["bytes=0-1048575"]

    assert whole() == b"x" * size
    assert s3.ranges[1:] == ([f"bytes=1048576-{size - 1}"] if size > 1024 * 1024 else [])


def test_an_object_replaced_while_it_is_read_is_refused() -> None:
    s3 = holding(b"x" * 3_000_000)
    whole = staging(s3).begun(KEY)
    s3.objects[KEY] = b"y" * 3_000_000

    with pytest.raises(StagingError, match="ETag"):
        whole()


def test_an_empty_array_has_no_batch() -> None:
    assert batches(array([])) == []


def test_the_lines_are_the_bytes_that_were_staged() -> None:
    assert batches(b'[\n{"a":  1.50},\n{"b":"\\u00e9"}\n]\n')[0].lines == [b'{"a":  1.50}', b'{"b":"\\u00e9"}']


def test_an_object_is_read_in_pieces_of_the_given_size() -> None:
    s3 = holding(array(numbered(5)))
    list(staging(s3, read_bytes=32).batches(KEY))

    assert s3.ranges == ["bytes=0-31", "bytes=32-63"]


def test_reading_begins_at_the_offset() -> None:
    s3 = holding(array(numbered(60)))
    first = next(staging(s3).batches(KEY))
    s3.ranges.clear()
    list(staging(s3, read_bytes=100).batches(KEY, first.end))

    assert (s3.ranges[0] or "").startswith(f"bytes={first.end}-")


@given(RECORDS, st.integers(1, 64), st.integers(1, 300), st.data())
def test_any_read_size_and_resumption_give_the_same_records(
    given_records: list[Any], read_bytes: int, batch_bytes: int, data: st.DataObject
) -> None:
    body = array(given_records)
    bounds = {"read_bytes": read_bytes, "batch_bytes": batch_bytes}
    whole = batches(body, **bounds)
    done = data.draw(st.integers(0, len(whole)))
    rest = batches(body, whole[done - 1].end if done else 0, **bounds)

    assert records(whole) == given_records
    assert whole[:done] + rest == whole
    assert all(len(batch.lines) == 1 or sum(map(len, batch.lines)) <= batch_bytes for batch in whole)


@given(RECORDS, st.integers(1, 64), st.data())
def test_an_array_that_was_cut_off_anywhere_is_a_staging_error(
    given_records: list[Any], read_bytes: int, data: st.DataObject
) -> None:
    body = array(given_records)
    cut = data.draw(st.integers(0, len(body) - 1))

    with pytest.raises(StagingError, match=r"extract/x/data\.json.*byte \d+"):
        batches(body[:cut], read_bytes=read_bytes)


@pytest.mark.parametrize("place", [0, -2])
@given(RECORDS, st.integers(0, 7))
def test_a_flipped_bit_in_a_bracket_is_a_staging_error(place: int, given_records: list[Any], bit: int) -> None:
    body = bytearray(array(given_records))
    body[place] ^= 1 << bit

    with pytest.raises(StagingError):
        batches(bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"{}\n",
        b'[{"a":1}]\n',
        b'{"a":1}\n]\n',
        b'[\n{"a":1}\n',
        b'[\n{"a":1}\n]',
        b'[\n{"a":1}\n]\n]\n',
        b'[\n{"a":1}\n]\n[\n',
        b'[\n[\n{"a":1}\n]\n',
        b'[\n{"a":1}\n]\n{"b":1}\n',
        b'[\n{"a":1}\n{"b":1}\n]\n',
        b'[\n{"a":1},\n]\n{"b":1}\n]\n',
        b'[\n{"a":1},\n]\n',
        b"]\n[\n",
    ],
)
def test_an_object_that_is_no_array_is_a_staging_error(body: bytes) -> None:
    with pytest.raises(StagingError, match=r"s3://staging/extract/x/data\.json "):
        batches(body)


def test_a_cursor_beyond_the_objects_end_is_a_staging_error() -> None:
    with pytest.raises(StagingError, match=r"extract/x/data\.json"):
        batches(array(numbered(3)), 1000)


@pytest.mark.parametrize("read", [lambda bucket: bucket.get(KEY), lambda bucket: bucket.records(KEY)])
def test_an_object_changed_after_its_put_is_refused(read: Any) -> None:
    s3 = FakeS3()
    staging(s3).put(KEY, b'{"a":1}')
    s3.objects[KEY] = b'{"a":2}'

    with pytest.raises(StagingError, match="ETag"):
        read(staging(s3))


@pytest.mark.parametrize("at", range(3))
def test_an_object_replaced_by_its_like_is_refused_at_each_read(at: int) -> None:
    s3 = holding(array(numbered(120)))
    found = staging(s3, read_bytes=300).batches(KEY)
    for _ in range(at):
        next(found)
    s3.objects[KEY] = s3.objects[KEY].replace(b"7", b"8")

    with pytest.raises(StagingError, match=r"data\.json .*ETag"):
        list(found)


@pytest.mark.parametrize("seal", [b"", b"{}", b'{"etag": 5, "records": 1}', b"[" * 10_000])
def test_a_seal_that_is_none_is_named(seal: bytes) -> None:
    s3 = holding(array([]))
    s3.objects[f"seals/{KEY}"] = seal

    with pytest.raises(StagingError, match=r"seals/extract/x/data\.json .*seal"):
        list(staging(s3).batches(KEY))


def test_an_unfinished_object_has_no_seal_and_is_refused() -> None:
    s3 = holding(array([]))
    del s3.objects[f"seals/{KEY}"]

    with pytest.raises(StagingError, match=r"seals/extract/x/data\.json is missing"):
        list(staging(s3).batches(KEY))


def test_a_staged_object_tells_the_number_of_its_records() -> None:
    assert staging(holding(array(numbered(7)))).records(KEY) == 7


def test_the_finished_objects_below_a_prefix_are_listed() -> None:
    s3 = FakeS3()
    for name in ("b", "a", "c"):
        hold(s3, f"quarantine/x/{name}.json", array([]))
    s3.objects["quarantine/x/unfinished.json"] = b""
    hold(s3, "quarantine/y/other.json", array([]))

    assert staging(s3).sealed("quarantine/x/") == [f"quarantine/x/{name}.json" for name in "abc"]
    assert staging(s3).sealed("quarantine/z/") == []


def test_a_key_that_s3_hides_from_a_role_is_missing() -> None:
    s3 = holding(array([]))
    denied = "User: arn:role is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::staging"
    s3.faults.fail(1, lambda: client_error("AccessDenied", 403, message=denied))

    with pytest.raises(StagingError, match="is missing"):
        staging(s3).manifest(KEY)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"id":"\\ud800"}', b"\xff", b"[" * 100_000])
def test_a_manifest_that_was_changed_is_refused_by_name(body: bytes) -> None:
    s3 = FakeS3()
    s3.objects[KEY] = body

    with pytest.raises(StagingError, match=f"{KEY} .*isn't the manifest of a run"):
        staging(s3).manifest(KEY)


@pytest.mark.parametrize("read", [lambda bucket: bucket.get(KEY), lambda bucket: list(bucket.batches(KEY))])
def test_a_missing_object_is_a_staging_error_with_a_remedy(read: Any) -> None:
    with pytest.raises(StagingError, match=r"data\.json is missing"):
        read(staging(FakeS3()))


def test_another_error_of_s3_is_left_as_it_is() -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        Staging(FakeS3("other"), "staging").get(KEY)  # type: ignore[arg-type]


BROKEN = [
    ReadTimeoutError(endpoint_url="s3"),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ResponseStreamingError(error="reset"),
    FlexibleChecksumError(error_msg="the bytes that came aren't those that were sent"),
]


@pytest.mark.parametrize("error", BROKEN)
def test_an_answer_that_breaks_off_is_asked_for_again(error: Exception) -> None:
    s3 = holding(array(numbered(3)))
    s3.body_errors = [error] * 3

    assert records(list(staging(s3).batches(KEY))) == numbered(3)


@pytest.mark.parametrize("error", BROKEN)
def test_an_answer_that_always_breaks_off_is_an_error(error: Exception) -> None:
    s3 = holding(array(numbered(3)))
    s3.body_errors = [error] * 4

    with pytest.raises(type(error)):
        list(staging(s3).batches(KEY))


def test_an_error_that_s3_answers_is_not_asked_for_again() -> None:
    s3 = holding(array([]))
    s3.faults.fail(1, lambda: client_error("AccessDenied", 403))

    with pytest.raises(ClientError):
        staging(s3).get(KEY)

    assert len(s3.faults.calls) == 1


def parts(segment: Work, *bodies: bytes) -> FakeS3:
    s3 = FakeS3()
    for part, body in enumerate(bodies):
        name = f"{segment.segment:04d}-{part:04d}"
        hold(s3, f"extract/20240116T020000123Z/{name}.json", body)
    return s3


def test_a_segment_is_read_part_by_part() -> None:
    segment = work(segment=1, extract_parts=2)
    s3 = parts(segment, array(numbered(30)), array(numbered(2)))
    found = list(staging(s3).segment_batches("extract", run(segments=2), segment))

    assert [(cursor["part"], key[-9:], len(batch.lines)) for cursor, key, batch in found] == [
        (0, "0000.json", 25),
        (0, "0000.json", 5),
        (1, "0001.json", 2),
    ]


def test_parts_that_were_not_counted_are_not_read() -> None:
    segment = work(segment=1, extract_parts=1)
    s3 = parts(segment, array(numbered(1)), array(numbered(2)))

    assert len(list(staging(s3).segment_batches("extract", run(segments=2), segment))) == 1


@pytest.mark.parametrize("done", range(6))
def test_a_segment_goes_on_behind_any_of_its_cursors(done: int) -> None:
    segment = work(segment=1, extract_parts=4)
    s3 = parts(segment, array(numbered(50)), array([]), array(numbered(25)), array(numbered(30)))
    whole = list(staging(s3).segment_batches("extract", run(segments=2), segment))
    segment.cursor = whole[done - 1][0] if done else None
    rest = list(staging(s3).segment_batches("extract", run(segments=2), segment))

    assert len(whole) == 5
    assert whole[:done] + rest == whole


def test_an_error_of_a_batch_has_key_place_and_records() -> None:
    error = staging(FakeS3()).malformed_records(KEY, Batch([b"{x}", b"{y}"], 90, 100), ValueError("bad"))

    assert "data.json isn't the array" in str(error)
    assert "bad, in the 2 records from there, at byte 90" in str(error)
