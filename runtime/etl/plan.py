"""Plan: fix the window and the segments of the run, and enter it in the ledger."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from etl.invocation.code_version import check_code, code_version
from etl.ledger import Ledger
from etl.model.configured_schema import schema_of
from etl.model.instants import format_instant
from etl.model.run import Run, Work, run_id
from etl.model.windows import is_event, requested_replay, resolve_window
from etl.replay import plan_replay
from etl.settings import ExtractSettings
from etl.staging.bucket import Staging
from etl.staging.keys import manifest_key, replayed_key
from etl.tables.change_time import bounds
from etl.tables.read_pace import readers
from etl.tables.selection import selection
from etl.tables.source import ExistingTable, SourceTable


def plan(  # noqa: PLR0913 - the tables and the bucket that it asks
    given: Any,
    execution: Mapping[str, str],
    settings: ExtractSettings,
    source: SourceTable,
    staging: Staging,
    ledger: Ledger,
    *,
    destination: ExistingTable | None = None,
) -> dict[str, Any]:
    """Fix the run: its window, its number of segments, and an id that no other run has; and enter it in the ledger.

    Args:
        given: the input of the execution.
        execution: ``id`` (an ARN) and ``started_at`` of the execution, from Step Functions.
        settings: the lengths of windows, the sizes of segments.
        source: the table to read.
        staging: the bucket in which the run claims its id.
        ledger: has the watermark, and gets the run's entry.
        destination: the table to write, unless the stack made it.

    Returns:
        ``{"run": Run, "segments": [Work, …]}``.

    Raises:
        InputError: the input isn't allowed.
        CatchUpError: the missing period is longer than a run may catch up on.
        ConfigurationError: DynamoDB refuses the filter of the settings.
    """
    started_at = datetime.fromisoformat(execution["started_at"]).astimezone(UTC)
    time = format_instant(started_at)
    replayed, first_watermark = requested_replay(given), None
    facts = source.describe()
    schema = msgspec.structs.replace(schema_of(settings), source=facts.key)
    if settings.existing_source is not None:
        source.try_to_read()
    if destination is not None:
        schema = msgspec.structs.replace(schema, destination=destination.key())
    objects: list[str] = []
    workers = readers(settings.source_read_units_per_second, settings.concurrency)
    if replayed:
        run, objects = plan_replay(replayed, started_at, staging, ledger, workers)
    else:
        window = resolve_window(given, started_at=started_at, rules=settings.windows, watermark=ledger.watermark)
        first_watermark = window.first_watermark
        if schema.filter:
            source.check_filter(selection(schema, bounds(window.start_text, window.end_text, time)))
        segments = facts.segments(settings.segment_bytes, workers)
        run = Run(id="", start=window.start_text, end=window.end_text, time="", execution="", segments=segments)
    code = code_version(settings.stores)
    run = msgspec.structs.replace(run, time=time, execution=execution["id"], code=code, schema=schema)
    run = claim(run, started_at, staging)
    if objects:  # listed once, so that all workers share the same list
        staging.put(replayed_key(run.id), msgspec.json.encode(objects))
    started_by = "schedule" if first_watermark else "event" if is_event(given) else "execution"
    ledger.begin(run, first_watermark, started_by)
    return {"run": run, "segments": [Work(segment=number) for number in range(run.segments)]}


def claim(run: Run, started_at: datetime, staging: Staging) -> Run:
    """Give the run its id: its start to the millisecond, or the next millisecond that no other run has claimed.

    The manifest is the claim. It is written only if there is none. A retry finds the manifest of its own execution, and
    continues with exactly that run.

    Raises:
        CodeChangedError: the attempt before had other code.
    """
    while True:
        run = msgspec.structs.replace(run, id=run_id(started_at))
        key = manifest_key(run.id)
        if staging.put_if_absent(key, msgspec.json.encode(run)):
            return run
        claimed = staging.manifest(key)  # other code may have written it
        if claimed.get("execution") == run.execution:
            check_code(claimed, run.code)
            return msgspec.convert(claimed, Run)
        started_at += timedelta(milliseconds=1)
