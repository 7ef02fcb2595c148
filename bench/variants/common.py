"""What several peers share: keys, the window, JSON with Decimals."""

from decimal import Decimal
from typing import Any

from bench.dataset import WINDOW_END, WINDOW_START

EXTRACT_KEY = "extract/peer/data.json"
TRANSFORM_KEY = "transform/peer/data.json"
START, END = WINDOW_START.removesuffix("Z"), WINDOW_END.removesuffix("Z")


def default(value: Any) -> Any:
    """What json.dumps does with a Decimal, as tutorials write it."""
    if isinstance(value, Decimal):
        return int(value) if value % 1 == 0 else float(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def batches(records: list[Any], size: int = 25) -> list[list[Any]]:
    """The records in batches of what BatchWriteItem takes."""
    return [records[start : start + size] for start in range(0, len(records), size)]
