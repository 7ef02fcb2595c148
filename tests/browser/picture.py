"""Makes the picture of the page in the documentation: `.venv/bin/python -m tests.browser.picture`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from etl_cli.html_report.page import render
from tests.browser.chromium import Chromium
from tests.cli.report_pages import made_up, page_facts
from tests.support import ROOT

PICTURE = ROOT / "docs" / "images" / "report.png"
_WIDTH, _HEIGHT = 1000, 1850
_SEGMENTS = 14


def main() -> None:
    """Make it: the page's upper part, of a made-up run."""
    with tempfile.TemporaryDirectory() as folder, Chromium(Path(folder) / "profile") as browser:
        file = Path(folder) / "report.html"
        file.write_text(render(page_facts(made_up(_SEGMENTS))), encoding="utf-8")
        page = browser.open(file.as_uri())
        page.show(_WIDTH, _HEIGHT)
        PICTURE.write_bytes(page.screenshot())
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
