"""The command, which tells the memory that it took: `python -m tests.memory.command WORDS`, the file in PEAK_FILE."""

from __future__ import annotations

import os
from pathlib import Path

from etl_cli.main import main
from tests.memory.function import peak_mb

if __name__ == "__main__":
    try:
        main()
    finally:
        Path(os.environ["PEAK_FILE"]).write_text(str(peak_mb()), encoding="ascii")
