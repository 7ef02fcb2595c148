"""Records that the stages of a run have staged, line by line.

A record stays bytes until somebody looks at it: an item of 400 KB may be a list of 400,000 values, which take a hundred
times as much as objects, and a run may have staged, or set aside, any number of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline

_NOTHING = msgspec.Raw(b"null")
_HALVES = re.compile("[\ud800-\udfff]")


class Keys(msgspec.Struct):
    """The two attributes of a key, as they are written; null if one isn't there."""

    id: msgspec.Raw = _NOTHING
    timestamp: msgspec.Raw = _NOTHING


keys_of = msgspec.json.Decoder(Keys).decode


class SetAside(msgspec.Struct):
    """A record that a stage set aside, and why.

    Attributes:
        stage: the stage that did.
        field: path of the attribute; empty for the whole record.
        rule: the rule that it breaks, as a phrase that follows the field.
        expected: the rule without its first word; objects of an earlier version have it in the place of ``rule``.
        got: what was there.
        item: as the stage read it, a line of JSON.
        summary: the reason without anything of an item.
        untimed: whether it is that its timestamp is no time.
        line: all of it, as quarantine has it.
    """

    stage: str
    field: str
    got: str
    item: msgspec.Raw
    rule: str = ""
    expected: str = ""
    summary: str = "a reason that only quarantine tells"
    untimed: bool = False
    line: bytes = b""

    def __post_init__(self) -> None:
        """Read objects of both versions."""
        self.rule = self.rule or f"expected {self.expected}"
        self.expected = self.rule.removeprefix("expected ")

    @property
    def identity(self) -> str:
        """The item's id; empty if it has none."""
        return text_of(self.item, "id")

    def whole(self) -> dict[str, Any]:
        """All of it as objects, numbers exact; the item in DynamoDB JSON, or in plain JSON if Load set it aside."""
        found: dict[str, Any] = json.loads(self.line, parse_float=Decimal)
        return found


_set_aside = msgspec.json.Decoder(SetAside)


def staged_keys(pipeline: Pipeline, prefix: str) -> list[str]:
    """The keys of a run's objects under a prefix, in order."""
    pages = pipeline.s3.get_paginator("list_objects_v2").paginate(Bucket=pipeline.staging_bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def staged_lines(pipeline: Pipeline, key: str) -> Iterator[bytes]:
    """Stream the records of a staged object, a line of JSON each.

    Raises:
        UserError: there is no such object.
    """
    try:
        body = pipeline.s3.get_object(Bucket=pipeline.staging_bucket, Key=key)["Body"]
    except pipeline.s3.exceptions.NoSuchKey:
        raise UserError(
            f"s3://{pipeline.staging_bucket}/{key} is not there.",
            "Staged objects expire after 30 days; start a new run of the same window.",
        ) from None
    with body:
        for line in body.iter_lines(chunk_size=256 * 1024):
            if line not in (b"[", b"]"):
                yield line.removesuffix(b",")


def rejected_records(pipeline: Pipeline, run: str) -> Iterator[SetAside]:
    """Records that the stages of a run set aside."""
    for key in staged_keys(pipeline, f"quarantine/{run}/"):
        for line in staged_lines(pipeline, key):
            yield set_aside(line)


def set_aside(line: bytes) -> SetAside:
    """A record of quarantine. Half a character, which JSON can have and UTF-8 can't, becomes visible."""
    try:
        record = _set_aside.decode(line)
    except msgspec.DecodeError:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        record = _set_aside.decode(_HALVES.sub(lambda half: rf"\\u{ord(half[0]):04x}", text))
    record.line = line
    return record


def text_of(line: bytes | msgspec.Raw, name: str) -> str:
    """The ``id`` or the ``timestamp`` of a line, of DynamoDB JSON or of plain JSON, if it is text; else empty."""
    return item_text({name: json.loads(bytes(getattr(keys_of(line), name)))}, name)


def item_text(item: dict[str, Any], name: str) -> str:
    """An attribute of an item that is text, in DynamoDB JSON or in plain JSON; else empty."""
    value = item.get(name)
    if isinstance(value, dict):
        value = value.get("S")
    return value if isinstance(value, str) else ""
