"""What the command tells programs, as they read it."""

from __future__ import annotations

import json
from typing import Any

from etl_cli.terminal.console import Lazy


def as_read(document: Any) -> Any:
    """A document with all of its parts made."""

    def made(part: Lazy) -> Any:
        return part.make()

    return json.loads(json.dumps(document, default=made))
