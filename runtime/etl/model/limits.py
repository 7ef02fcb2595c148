"""Sizes and limits that the functions, the stack and the model of capacity share. Importing them needs no boto3."""

READ_BYTES = 4 * 1024 * 1024
"""A stage reads this much of a staged object at a time."""

UPLOAD_BYTES = 5 * 1024 * 1024
"""The least size of a part of a multipart upload, except the last (S3 User Guide, "Multipart upload limits")."""

IN_FLIGHT = 16
"""Load's requests at a time. At 5 ms an answer, more gain less than 5 % (see docs/performance.md)."""

RESERVED_SHARE = 1 / 50
"""A worker stops with this share of an invocation's time left, to close its objects."""

STAGED_DAYS = 30
"""Staged objects are deleted after this time. The specification fixes it."""

MOST_INLINE_WORKERS = 40
"""Iterations of an inline Map at once (Step Functions Developer Guide, "Map state processing modes")."""

STATE_BYTES = 256 * 1024
"""The most data of a state (Step Functions Developer Guide, "Service quotas")."""

HISTORY_EVENTS = 25_000
"""The most events of an execution's history (Step Functions Developer Guide, "Service quotas")."""

MOST_WORKERS = 1000
"""The default quota of concurrent executions of an account (Lambda developer guide, "Lambda quotas"). The state of an
execution, 256 KiB, holds this many segments (Step Functions developer guide, "Quotas")."""
