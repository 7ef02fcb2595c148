"""Extract: read the items of the window, or of a quarantine, into staging as they are."""

import math
import os
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from etl.aws.clients import AsFarAsPossible, dynamodb_client, is_transient, is_upload_gone, s3_client
from etl.handler import Context, Event, run_action, run_of, work_of
from etl.invocation.code_version import check_engine
from etl.invocation.deadline import Deadline
from etl.ledger import Ledger
from etl.model.counts import NOT_REPLAYABLE
from etl.model.run import Run, Work
from etl.model.stages import EXTRACT, PLAN
from etl.plan import plan
from etl.replay import quarantined_pages
from etl.settings import ExtractSettings
from etl.staging.bucket import Staging
from etl.staging.keys import part_key
from etl.staging.writer import PartWriter
from etl.tables.change_time import bounds_of
from etl.tables.selection import selection
from etl.tables.source import Page, SourceTable


def extract_segment(run: Run, work: Work, pages: Iterator[Page], staging: Staging, part_bytes: int) -> Work:
    """Stage a segment's pages until they end.

    The cursor is that of the last page. The counts say where the numbers of parts continue. If S3 fails for a while,
    the work ends after the last closed part, so that its pages needn't be read again.

    Raises:
        ClientError: DynamoDB or S3 refused a request for good, or for a while before anything was staged.
    """
    segment, first = work.segment, work.counted("extract_parts")
    taken, units, staged = Work(segment=segment, cursor=work.cursor, counts=list(work.counts)), Decimal(0), None
    with PartWriter(staging.open, lambda part: part_key(EXTRACT, run, segment, part), first, part_bytes) as writer:
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
    taken.count(NOT_REPLAYABLE, page.not_replayable)
    taken.count("extracted", len(page.items))
    taken.cursor = page.cursor


def _staged(taken: Work, units: Decimal, writer: PartWriter, first: int) -> Work:
    """The work of a segment after a part was closed."""
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
        picked = selection(run.schema, bounds_of(run))
        pages = source.pages(picked, work.segment, run.segments, work.cursor, deadline)
    return extract_segment(run, work, pages, staging, settings.part_bytes)


def handler(event: Event, context: Context) -> Any:
    """Run ``etl-extract``: the actions plan and extract."""
    return run_action(event, context, {PLAN: _plan, EXTRACT: _extract})
