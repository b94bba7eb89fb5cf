"""`python -m tests.verification.report.pictures REPORT.html FOLDER`: pictures of the report for the docs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.verification.report.browser import chromium, look, screenshot

SIZES = {"desktop": (1440, 1500), "phone": (390, 1100)}
COLOURS = 128
"""Fewer colours keep the files small; the page has few."""


def main(report: str, folder: str) -> None:
    if chromium() is None:
        sys.exit("Chromium is needed; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as work:
        page = Path(shutil.copy(report, work))
        for name, (width, height) in SIZES.items():
            seen = look(page, width)
            if seen.found["scrollWidth"] > width or seen.console:
                sys.exit(f"{report} scrolls sideways at {width} px, or writes to the console: {seen}")
            target = Path(folder) / f"report-{name}.png"
            screenshot(page, target, width, height)
            with Image.open(target) as picture:
                picture.convert("RGB").quantize(COLOURS).save(target, optimize=True)
            print(f"wrote {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
