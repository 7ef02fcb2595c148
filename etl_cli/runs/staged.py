"""Objects that the stages of a run have staged, read line by line.

A record stays bytes until it is shown. As objects, an item of 400 KB may take a hundred times as much.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from etl.model.run import Run
from etl.model.schema import SPECIFIED, Schema
from etl.staging.keys import manifest_key, part_of, stage_prefix
from etl.values.attribute_values import Number, to_wire
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment
    from etl_cli.runs.item_changes import Item

_plain = msgspec.json.Decoder(dict[str, Any], float_hook=Number)


def loaded_item(line: bytes) -> Item:
    """Make the item of DynamoDB JSON that Load writes from a line of plain JSON; binaries are base64."""
    item: Item = json.loads(msgspec.json.encode(to_wire(_plain.decode(line))))
    return item


def before_and_after(read: bytes, made: bytes) -> tuple[Item, Item]:
    """An item as Extract staged it, and the record that it became as Load writes it."""
    after = loaded_item(made)  # first, since making it takes several times its own memory
    before: Item = json.loads(read)
    return before, after


def manifest(deployment: Deployment, run_id: str) -> Run | None:
    """A run as Plan fixed it; None if there is no such run, or it has expired."""
    try:
        body = deployment.s3.get_object(Bucket=deployment.staging_bucket, Key=manifest_key(run_id))["Body"].read()
    except deployment.s3.exceptions.NoSuchKey:
        return None
    return msgspec.json.decode(body, type=Run)


def run_schema(deployment: Deployment, run_id: str) -> Schema:
    """The keys and the time of an item in a run; the specification's if the run has expired."""
    run = manifest(deployment, run_id) if run_id else None
    return run.schema if run else SPECIFIED


def staged_keys(deployment: Deployment, prefix: str) -> list[str]:
    """The keys of a run's objects under a prefix, in order."""
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(Bucket=deployment.staging_bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def staged_parts(deployment: Deployment, stage: str, run_id: str) -> dict[int, list[str]]:
    """The keys of a stage's parts by segment, in the order of writing; empty if nothing is staged, or it expired."""
    keys = staged_keys(deployment, stage_prefix(stage, run_id))
    found = sorted((place, key) for key in keys if (place := part_of(key)))
    parts: dict[int, list[str]] = {}
    for (segment, _), key in found:
        parts.setdefault(segment, []).append(key)
    return parts


def staged_lines(deployment: Deployment, *keys: str) -> Iterator[bytes]:
    """Stream the records of staged objects, one line of JSON each.

    Raises:
        UserError: an object is missing.
    """
    for key in keys:
        try:
            body = deployment.s3.get_object(Bucket=deployment.staging_bucket, Key=key)["Body"]
        except deployment.s3.exceptions.NoSuchKey:
            raise UserError(
                f"s3://{deployment.staging_bucket}/{key} is not there.",
                "Staged objects expire after 30 days; start a new run of the same window.",
            ) from None
        with body:
            for line in body.iter_lines(chunk_size=256 * 1024):
                if line not in (b"[", b"]"):
                    yield line.removesuffix(b",")
