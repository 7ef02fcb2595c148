"""Extract: plan the run, then read the items of its window, or of a quarantine, into staging, as they are."""

import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from etl.aws.clients import AsFarAsPossible, dynamodb_client, is_transient, is_upload_gone, s3_client
from etl.handler import Context, Event, run_action, run_of, work_of
from etl.invocation.code_version import check_code, check_engine, code_version
from etl.invocation.deadline import Deadline
from etl.ledger import Ledger
from etl.model.run import Run, Work
from etl.model.windows import format_instant, is_event, requested_replay, resolve_window
from etl.replay import plan_replay, quarantined_pages
from etl.settings import ExtractSettings
from etl.staging.bucket import Staging
from etl.staging.keys import manifest_key, part_key, replayed_key
from etl.staging.writer import PartWriter
from etl.tables.source import Page, SourceTable
from etl.tables.timestamps import window_filter

STAGE = "extract"


def plan(
    given: Any,
    execution: Mapping[str, str],
    settings: ExtractSettings,
    source: SourceTable,
    staging: Staging,
    ledger: Ledger,
) -> dict[str, Any]:
    """Fix the run: its window, its number of segments, and a timestamp that no other run has; and enter it.

    Args:
        given: the execution's input.
        execution: ``id`` (an ARN) and ``started_at`` of the execution, as Step Functions tells them.
        settings: lengths of the default window, sizes of segments.
        source: the table to read.
        staging: the bucket in which the run's manifest is claimed.
        ledger: tells what no run has covered yet, and gets the run's entry.

    Returns:
        ``{"run": Run, "segments": [Work, …]}``.

    Raises:
        InputError: the input can't be understood.
        CatchUpError: more is missing than a run may catch up on.
    """
    started_at = datetime.fromisoformat(execution["started_at"]).astimezone(UTC)
    replayed, first_watermark = requested_replay(given), None
    objects: list[str] = []
    if replayed:
        run, objects = plan_replay(replayed, started_at, staging, ledger, settings.concurrency)
    else:
        window = resolve_window(
            given,
            started_at=started_at,
            rules=settings.windows,
            watermark=ledger.watermark,
        )
        first_watermark = window.first_watermark
        run = Run(
            id="",
            start=window.start_text,
            end=window.end_text,
            time="",
            execution="",
            segments=source.segments(settings.segment_bytes, settings.concurrency),
        )
    time = format_instant(started_at)
    run = msgspec.structs.replace(run, time=time, execution=execution["id"], code=code_version(settings.stores))
    run = claim(run, started_at, staging)
    if objects:  # listed once, so that all workers share the same
        staging.put(replayed_key(run.id), msgspec.json.encode(objects))
    origin = "schedule" if first_watermark else "event" if is_event(given) else "execution"
    ledger.begin(run, first_watermark, origin)
    return {"run": run, "segments": [Work(segment=number) for number in range(run.segments)]}


def claim(run: Run, started_at: datetime, staging: Staging) -> Run:
    """Give the run its timestamp: its start to the millisecond, or the next that no other run has taken.

    The manifest is the claim, written only where there is none. A retry finds the one of its own execution
    and goes on with exactly that run.

    Raises:
        CodeChangedError: the attempt before had other code.
    """
    while True:
        timestamp = started_at.strftime("%Y%m%dT%H%M%S") + f"{started_at.microsecond // 1000:03d}Z"
        run = msgspec.structs.replace(run, id=timestamp)
        key = manifest_key(timestamp)
        if staging.put_if_absent(key, msgspec.json.encode(run)):
            return run
        manifest = staging.get_unsealed(key)
        claimed = msgspec.json.decode(manifest)  # as it is: another version may have written it
        if claimed["execution"] == run.execution:
            check_code(claimed, run.code)
            return msgspec.json.decode(manifest, type=Run)
        started_at += timedelta(milliseconds=1)


def extract_segment(run: Run, work: Work, pages: Iterator[Page], staging: Staging, part_bytes: int) -> Work:
    """Take a segment's pages into staging until they end.

    The cursor is the last page's; parts are numbered on by the counts. A failure of S3 that passes ends it behind the
    last part that was closed, so that the pages of that part needn't be read again.

    Raises:
        ClientError: DynamoDB or S3 refuses a request for good, or in passing when nothing is staged yet.
    """
    segment, first = work.segment, work.counted("extract_parts")
    taken, units, staged = Work(segment=segment, cursor=work.cursor, counts=list(work.counts)), Decimal(0), None
    with PartWriter(staging.open, lambda part: part_key(STAGE, run, segment, part), first, part_bytes) as writer:
        try:
            for page in AsFarAsPossible(pages):
                if page.items:
                    writer.write(page.items)
                _count(taken, page)
                units += page.units
                if writer.full:
                    writer.close()
                    staged = _staged(taken, units, writer, first)
            if not taken.cursor and writer.next_part == 0:
                writer.write(())  # a segment without items has an empty part
            writer.close()
            staged = _staged(taken, units, writer, first)
        except (ClientError, BotoCoreError) as error:
            if staged is None or not (is_transient(error) or is_upload_gone(error)):
                raise
    return staged


def _count(taken: Work, page: Page) -> None:
    taken.count("scanned", page.scanned)
    taken.count("read", page.read)
    taken.count("left", page.left)
    taken.count("extracted", len(page.items))
    taken.cursor = page.cursor


def _staged(taken: Work, units: Decimal, writer: PartWriter, first: int) -> Work:
    """A segment's work to go on with, after a part has been closed."""
    done = Work(segment=taken.segment, cursor=taken.cursor, counts=list(taken.counts))
    done.count("extract_parts", writer.next_part - first)
    done.count("extract_bytes", writer.size)
    done.count("read_units", math.ceil(units))
    return done


@cache
def _adapters() -> tuple[ExtractSettings, SourceTable, Staging, Ledger]:
    settings, dynamodb = ExtractSettings.from_env(os.environ), dynamodb_client()
    source, ledger = SourceTable(dynamodb, settings.source_table), Ledger(dynamodb, settings.ledger_table)
    return settings, source, Staging(s3_client(), settings.staging_bucket), ledger


def _plan(event: Event, _: Deadline) -> dict[str, Any]:
    check_engine(event)
    settings, source, staging, ledger = _adapters()
    return plan(event.get("input"), event["execution"], settings, source, staging, ledger)


def _extract(event: Event, deadline: Deadline) -> Work:
    settings, source, staging, _ = _adapters()
    run, work = run_of(event), work_of(event)
    if run.replay:
        pages = quarantined_pages(run, work, source, staging, deadline)
    else:
        picked = window_filter(run.start, run.end, run.time)
        pages = source.pages(picked, work.segment, run.segments, work.cursor, deadline)
    return extract_segment(run, work, pages, staging, settings.part_bytes)


def handler(event: Event, context: Context) -> Any:
    """Entry of ``etl-extract``: the actions plan and extract."""
    return run_action(event, context, {"plan": _plan, "extract": _extract})
