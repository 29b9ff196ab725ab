"""Makes the picture in the README anew: `.venv/bin/python -m demo.picture`; needs Debian's chromium.

Left the deal as people see it in the CRM once the contract has ended, right the survey behind a link in its tasks.
"""

from __future__ import annotations

import base64
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from demo.stage import Crm, Stage, raised
from demo.story import CHAPTERS, links, live_until

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "goodbye.webp"
UNTIL = "The weeks until the contract ends"
SHARPNESS = 1.5
FRAME = """
<body style="margin:0;display:flex;gap:28px;align-items:center;background:#e9e5dc;padding:28px;width:max-content">
<img style="width:1010px;border-radius:10px;box-shadow:0 4px 18px #0003" src="{desk}">
<img style="width:320px;border-radius:30px;border:9px solid #23282c;box-shadow:0 4px 18px #0005" src="{phone}">
"""
TO_WEBP = """
async ({picture, quality}) => {
  const image = new Image(); image.src = picture; await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas.toDataURL('image/webp', quality);
}
"""


def main() -> None:
    """Play the story until a survey is sent, take both pages, and put them side by side."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt install chromium")
    with tempfile.TemporaryDirectory(prefix="aurevoir-picture-") as folder, raised(Path(folder)) as stage:
        crm = _play(stage)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            desk = _taken(browser, crm.deal_url, width=1200, height=1010)
            phone = _taken(browser, links(crm)[0], width=390, height=920)
            PICTURE.write_bytes(_side_by_side(browser, desk, phone))
            browser.close()
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} kB")  # noqa: T201 - a command's answer


def _play(stage: Stage) -> Crm:
    for title, chapter in CHAPTERS:
        if title == UNTIL:
            break
        chapter(stage)
    crm = stage.crms[-1]
    live_until(stage, lambda: bool(links(crm)))
    return crm


def _taken(browser: Browser, url: str, *, width: int, height: int) -> str:
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=SHARPNESS)
    page.goto(url)
    return _as_url(page.screenshot())


def _side_by_side(browser: Browser, desk: str, phone: str) -> bytes:
    page = browser.new_page(viewport={"width": 1440, "height": 960}, device_scale_factor=SHARPNESS)
    page.set_content(FRAME.format(desk=desk, phone=phone))
    whole: Any = page.evaluate(TO_WEBP, {"picture": _as_url(page.locator("body").screenshot()), "quality": 0.8})
    return base64.b64decode(whole.partition(",")[2])


def _as_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


if __name__ == "__main__":
    main()
