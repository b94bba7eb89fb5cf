"""The HTML report in a real browser, on a phone and on a desktop."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rewriter.verification.report.html import Picture, ReportContext, write
from tests.verification.report.browser import chromium, look, screenshot
from tests.verification.report.test_report_html import CONTEXT, _report

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no Chromium here; on Debian: apt-get install chromium"
)

PHONE, DESKTOP = 390, 1440


@pytest.fixture(scope="module", params=[1e-6, 0.3], ids=["passed", "failed"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    parts = {**CONTEXT.__dict__, "picture": _picture()}
    write(_report(request.param), path, ReportContext(**parts))
    return path


def _picture() -> Picture:
    from PIL import Image

    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((1200, 400)).save(buffer, "PNG")
    return Picture(buffer.getvalue(), "A gradient.")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_at_a_width(page: Path, width: int) -> None:
    seen = look(page, width)
    assert seen.found["width"] == width
    assert seen.found["scrollWidth"] <= width, "the page scrolls sideways"
    assert seen.found["requests"] == []
    assert seen.found["images"]
    assert seen.console == []
    # Wide tables scroll inside their own frame, which the keyboard reaches.
    assert seen.found["scrollableByKeyboard"] == seen.found["scrollable"]
    assert seen.found["reached"] == seen.found["focusable"] > 0


def test_the_measurement_sees_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!doctype html><title>x</title><div style="width:3000px">wide</div><img src="missing.png">'
        "<script>console.error('oh'); nothing();</script>"
    )
    seen = look(bad, PHONE)
    assert seen.found["scrollWidth"] > PHONE
    assert not seen.found["images"]
    assert len(seen.console) >= 2  # the message, the error; where the picture is missed, that too


def test_a_picture_of_it(page: Path, tmp_path: Path) -> None:
    from matplotlib.image import imread

    screenshot(page, tmp_path / "phone.png", PHONE, 700)
    pixels = imread(tmp_path / "phone.png")
    assert pixels.shape[:2] == (700, PHONE)
    assert pixels[..., :3].std() > 0.01
