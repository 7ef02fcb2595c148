"""Shared by several peers: keys, the window, JSON with Decimals."""

from decimal import Decimal
from typing import Any

from bench.dataset import WINDOW_END, WINDOW_START

EXTRACT_KEY = "extract/peer/data.json"
TRANSFORM_KEY = "transform/peer/data.json"
START, END = WINDOW_START.removesuffix("Z"), WINDOW_END.removesuffix("Z")


def default(value: Any) -> Any:
    """Encode a Decimal for json.dumps, as tutorials do."""
    if isinstance(value, Decimal):
        return int(value) if value % 1 == 0 else float(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def batches(records: list[Any], size: int = 25) -> list[list[Any]]:
    """Cut records into batches for BatchWriteItem."""
    return [records[start : start + size] for start in range(0, len(records), size)]
