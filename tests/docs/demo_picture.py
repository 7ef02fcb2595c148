"""Makes docs/images/demo.svg again, from a real demo: `.venv/bin/python -m tests.docs.demo_picture`."""

from __future__ import annotations

import io
import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from etl_cli.local.environment import LocalEnvironment
from tests.support import ROOT

PICTURE = ROOT / "docs" / "images" / "demo.svg"
WIDTH = 80
# A picture of everything would be three screens high.
LEFT_OUT = ("Durations", "Aggregate", "One item")


def main() -> None:
    """Run the demo in its own environment, and draw its last screen."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ make demo", "bold"))
    console.print(Text.from_ansi("\n\n".join(shown(run_demo()))))
    svg = console.export_svg(title="make demo", unique_id="demo")
    # With a font of the browser's own, so that nobody asks another host for one.
    PICTURE.write_text(re.sub(r"\s*@font-face \{.*?\}|<!--.*?-->\s*", "", svg, flags=re.DOTALL))


def run_demo() -> str:
    """The demo's output into a pipe, in colour."""
    with TemporaryDirectory() as folder:
        colours = {"ETL_LOCAL_DIR": folder, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
        try:
            return subprocess.run(
                ["make", "demo"],  # noqa: S607 - the reader's
                cwd=ROOT,
                env=os.environ | colours,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        finally:
            LocalEnvironment(ROOT, Path(folder)).stop()


def shown(output: str) -> list[str]:
    """The output's sections, without those that are left out, and without steps that went on."""
    lines = [line for line in output.splitlines() if not plain(line).startswith("… ")]
    return [each for each in re.split(r"\n{2,}", "\n".join(lines)) if not plain(each).startswith(LEFT_OUT)]


def plain(coloured: str) -> str:
    """A text without its colours."""
    return Text.from_ansi(coloured).plain.strip()


if __name__ == "__main__":
    main()
