import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etl.model.limits import UPLOAD_BYTES
from etl.staging.writer import ObjectWriter, PartWriter
from tests.fakes.faults import client_error
from tests.fakes.s3 import FakeS3, etag
from tests.unit.builders import staging

KEY = "extract/x/data.json"
LINE = b'"' + b"x" * 1_000_000 + b'"'
PUT_WHOLE = ["PutObject", "PutObject"]
IN_THREE_PARTS = ["CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload", "PutObject"]


def written(*groups: list[bytes]) -> tuple[FakeS3, ObjectWriter]:
    s3 = FakeS3()
    writer = staging(s3).open(KEY)
    for group in groups:
        writer.write(group)
    writer.close()
    return s3, writer


@pytest.mark.parametrize("groups", [(), ([],), ([], [])])
def test_an_object_without_records_is_an_empty_array(groups: tuple[list[bytes], ...]) -> None:
    assert written(*groups)[0].objects[KEY] == b"[\n]\n"


@pytest.mark.parametrize("groups", [([b"1", b"2", b"3"],), ([b"1"], [b"2", b"3"]), ([b"1"], [], [b"2"], [b"3"])])
def test_an_object_always_has_one_record_a_line(groups: tuple[list[bytes], ...]) -> None:
    assert written(*groups)[0].objects[KEY] == b"[\n1,\n2,\n3\n]\n"


def test_a_small_object_is_put_whole() -> None:
    s3, _ = written([b"1"])

    assert s3.faults.calls == PUT_WHOLE
    assert s3.types[KEY] == "application/json"


@pytest.mark.parametrize("groups", [([b"1"], [b"2", b"3"]), ([LINE] * 13,)])
def test_a_finished_object_is_sealed_with_etag_and_records(
    groups: tuple[list[bytes], ...],
) -> None:
    s3, _ = written(*groups)

    seal = json.loads(s3.objects[f"seals/{KEY}"])
    assert seal == {"etag": etag(s3.objects[KEY]), "records": sum(map(len, groups))}
    assert s3.faults.calls[-1] == "PutObject"  # the seal comes last: what has one is complete


def test_an_object_that_was_given_up_has_no_seal() -> None:
    s3 = FakeS3()
    writer = staging(s3).open(KEY)
    writer.write([LINE] * 13)
    writer.abort()

    assert not s3.objects


def test_a_large_object_is_uploaded_in_parts() -> None:
    s3, _ = written(*([LINE] for _ in range(13)))

    assert s3.faults.calls == IN_THREE_PARTS
    assert json.loads(s3.objects[KEY]) == ["x" * 1_000_000] * 13
    assert s3.types[KEY] == "application/json"
    assert not s3.uploads


def test_memory_holds_no_more_than_an_upload_and_a_group() -> None:
    writer = staging(FakeS3()).open(KEY)
    for _ in range(20):
        writer.write([LINE])
        assert writer._held_bytes == sum(map(len, writer._chunks)) < UPLOAD_BYTES


def test_many_records_at_once_are_sent_in_pieces() -> None:
    s3 = FakeS3()
    sizes: list[int] = []
    upload = s3.upload_part

    def noted(**request: Any) -> dict[str, Any]:
        sizes.append(len(request["Body"]))
        return upload(**request)

    s3.upload_part = noted  # type: ignore[method-assign]
    writer = staging(s3).open(KEY)
    writer.write([LINE] * 100)
    writer.close()

    assert json.loads(s3.objects[KEY]) == ["x" * 1_000_000] * 100
    assert max(sizes) < 2 * UPLOAD_BYTES


class SlowS3(FakeS3):
    """A bucket that takes parts only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def upload_part(self, **request: Any) -> dict[str, Any]:
        self.begun.set()
        assert self.may_end.wait(10)
        return super().upload_part(**request)


def test_the_next_part_is_collected_while_one_is_on_its_way() -> None:
    s3 = SlowS3()
    writer = staging(s3).open(KEY)
    writer.write([LINE] * 6)
    assert s3.begun.wait(10)
    writer.write([LINE] * 5)
    s3.may_end.set()
    writer.write([LINE] * 6)
    writer.close()

    assert json.loads(s3.objects[KEY]) == ["x" * 1_000_000] * 17


def test_no_more_than_one_part_is_on_its_way() -> None:
    s3 = SlowS3()
    writer = staging(s3).open(KEY)

    def write() -> None:
        for _ in range(4):
            writer.write([LINE] * 6)

    writing = threading.Thread(target=write)
    writing.start()
    writing.join(0.2)
    assert writing.is_alive()
    s3.may_end.set()
    writing.join(10)
    writer.close()

    assert json.loads(s3.objects[KEY]) == ["x" * 1_000_000] * 24


def test_an_abort_waits_for_the_part_on_its_way() -> None:
    s3 = SlowS3()
    writer = staging(s3).open(KEY)
    writer.write([LINE] * 6)
    threading.Timer(0.05, s3.may_end.set).start()
    writer.abort()

    assert s3.faults.calls == ["CreateMultipartUpload", "UploadPart", "AbortMultipartUpload"]
    assert not s3.uploads


def uploading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("upload")]


@pytest.mark.parametrize("end", [ObjectWriter.close, ObjectWriter.abort])
def test_no_thread_is_left_behind(end: Callable[[ObjectWriter], None]) -> None:
    writer = staging(FakeS3()).open(KEY)
    writer.write([LINE] * 6)
    assert uploading_threads()
    end(writer)

    assert not uploading_threads()


def test_a_large_object_does_not_exist_before_it_is_closed() -> None:
    s3 = FakeS3()
    writer = staging(s3).open(KEY)
    writer.write([LINE] * 6)

    assert s3.uploads
    assert not s3.objects
    writer.abort()


def test_the_size_is_that_of_the_records() -> None:
    assert written([b"123"], [b"45"])[1].size == len(b"\n123,\n45")


def test_an_abort_throws_away_what_was_uploaded() -> None:
    s3 = FakeS3()
    writer = staging(s3).open(KEY)
    writer.write([LINE] * 6)
    writer.abort()

    assert (s3.uploads, s3.objects) == ({}, {})


def test_an_abort_of_what_was_never_uploaded_calls_nothing() -> None:
    s3 = FakeS3()
    writer = staging(s3).open(KEY)
    writer.write([b"1"])
    writer.abort()

    assert not s3.faults.calls


def part_writer(s3: FakeS3, first: int = 0, part_bytes: int = 10) -> PartWriter:
    return PartWriter(staging(s3).open, lambda part: f"part-{part}", first, part_bytes)


def test_nothing_is_opened_before_the_first_record() -> None:
    s3 = FakeS3()
    with part_writer(s3) as writer:
        assert not writer.full
        assert not writer.close()

    assert not s3.objects


def test_parts_are_numbered_on() -> None:
    s3 = FakeS3()
    with part_writer(s3, first=3) as writer:
        for line in (b"1", b"2"):
            writer.write([line])
            assert writer.close()

    assert writer.next_part == 5
    assert list(s3.objects) == ["part-3", "seals/part-3", "part-4", "seals/part-4"]


def test_a_part_is_full_at_its_size() -> None:
    with part_writer(FakeS3(), part_bytes=4) as writer:
        writer.write([b"12"])
        assert not writer.full
        writer.write([b"34"])
        assert writer.full


def test_the_size_is_that_of_all_closed_parts() -> None:
    with part_writer(FakeS3()) as writer:
        for line in (b"123", b"45"):
            writer.write([line])
            writer.close()
        writer.write([b"open"])

    assert writer.size == len(b"\n123") + len(b"\n45")


def test_writing_nothing_opens_a_part() -> None:
    s3 = FakeS3()
    with part_writer(s3) as writer:
        writer.write(())
        writer.close()

    assert s3.objects["part-0"] == b"[\n]\n"


def failing_stage(s3: FakeS3) -> None:
    with part_writer(s3) as writer:
        writer.write([LINE] * 6)
        raise ValueError("the stage")


def test_the_open_part_is_given_up_when_the_stage_fails() -> None:
    s3 = FakeS3()

    with pytest.raises(ValueError, match="the stage"):
        failing_stage(s3)

    assert (s3.uploads, s3.objects) == ({}, {})


def test_an_abort_that_fails_does_not_hide_why_the_stage_failed() -> None:
    s3 = FakeS3()
    s3.faults.fail(3, lambda: client_error("NoSuchUpload", 404))

    with pytest.raises(ValueError, match="the stage"):
        failing_stage(s3)

    assert s3.faults.calls[-1] == "AbortMultipartUpload"


@pytest.mark.parametrize("number", range(1, len(IN_THREE_PARTS) + 1))
def test_an_upload_that_fails_leaves_no_seal_and_an_error(number: int) -> None:
    s3 = FakeS3()
    s3.faults.fail(number, lambda: client_error("SlowDown", 503))

    def stage() -> None:
        with part_writer(s3) as writer:
            for _ in range(13):
                writer.write([LINE])
            writer.close()

    with pytest.raises(ClientError, match="SlowDown"):
        stage()

    assert s3.uploads == {}
    assert list(s3.objects) == (["part-0"] if number == len(IN_THREE_PARTS) else [])
