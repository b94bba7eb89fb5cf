"""A page in headless Chromium: what it measures, what its console says, how it looks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

__all__ = ["Look", "chromium", "look", "screenshot"]

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-extensions",
    "--hide-scrollbars",
    "--allow-file-access-from-files",  # the frame's page is a file too
    "--virtual-time-budget=4000",
    "--enable-logging=stderr",
]
_HARNESS = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" src="{page}" style="border:0;width:{width}px;height:{height}px"></iframe>
<pre id="found"></pre><script>
const frame = document.getElementById("page"), errors = [];
frame.onload = () => {{
  const inner = frame.contentDocument, root = inner.documentElement, view = frame.contentWindow;
  const focusable = [...inner.querySelectorAll("a[href],button,input,summary,[tabindex='0']")]
    .filter(e => e.checkVisibility());
  const scrolling = [...inner.querySelectorAll("*")].filter(e => e.scrollWidth > e.clientWidth + 1
    && ["auto", "scroll"].includes(view.getComputedStyle(e).overflowX));
  const reached = focusable.filter(e => {{ e.focus(); return inner.activeElement === e; }}).length;
  document.getElementById("found").textContent = JSON.stringify({{
    width: view.innerWidth, scrollWidth: root.scrollWidth, height: root.scrollHeight,
    requests: view.performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
    focusable: focusable.length, reached, images: [...inner.images].every(i => i.complete && i.naturalWidth > 0),
    scrollable: scrolling.length, scrollableByKeyboard: scrolling.filter(e => e.tabIndex === 0).length,
    title: inner.title}});
  inner.activeElement.blur(); view.scrollTo(0, 0); scrollTo(0, 0);
}};
</script>"""


@dataclass(frozen=True)
class Look:
    """What a page is like at one width.

    Attributes:
        found: measurements, see the harness.
        console: lines that the page wrote to the console.
    """

    found: dict[str, Any]
    console: list[str]


def chromium() -> str | None:
    """The browser's program; None where none is installed."""
    return next((path for name in _PROGRAMS if (path := shutil.which(name))), None)


def look(page: Path, width: int, height: int = 900) -> Look:
    """Load a page in a frame of the given size."""
    harness = page.with_name(f"harness-{width}.html")
    harness.write_text(_HARNESS.format(page=page.name, width=width, height=height), encoding="utf-8")
    done = _run(page.parent, "--dump-dom", f"--window-size={max(width, 600)},{height}", harness.as_uri())
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    if match is None or not match[1]:
        raise RuntimeError(f"the page did not load: {done.stderr[-2000:]}")
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Look(json.loads(unescape(match[1])), console)


def screenshot(page: Path, target: Path, width: int, height: int) -> None:
    """A picture of the upper part of a page at a width; narrow ones too, which windows are not."""
    harness = page.with_name(f"harness-{width}.html")
    harness.write_text(_HARNESS.format(page=page.name, width=width, height=height), encoding="utf-8")
    window = f"--window-size={width},{height}" if width >= 600 else f"--window-size=600,{height}"
    _run(page.parent, f"--screenshot={target}", window, harness.as_uri())
    if width < 600:
        from PIL import Image

        with Image.open(target) as picture:
            picture.crop((0, 0, width, height)).save(target)


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = chromium()
    assert program is not None
    profile = f"--user-data-dir={folder / 'profile'}"
    return subprocess.run(
        [program, *_FLAGS, profile, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
