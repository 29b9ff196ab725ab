"""The chart of key figures, start and now side by side (P-24): a PNG for documents, drawn with Pillow.

Each figure has a scale of its own, since users, hours and money share none; values stand beside their bars. Labels that
the font has no letters for still stand in the table above the chart.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

SCALE = 3
"""Pixels for each point of the design, so that it prints sharply."""
WIDTH, ROW, MARGIN, BAR = 470, 58, 4, 13
VALUES = 130
"""Room for the words behind a bar, in points."""
INK, SOFT, PAPER = "#24292b", "#5b6468", "#ffffff"
BEFORE, AFTER = "#b9c3c0", "#22615a"
MAX_BARS = 12


def draw(chart: Mapping[str, Any]) -> bytes:
    """The chart as PNG. ``chart`` is a block of :func:`workflows.handover.document_values`."""
    from PIL import Image, ImageDraw, ImageFont

    bars: Sequence[Mapping[str, Any]] = chart["bars"][:MAX_BARS]
    height = 26 + ROW * len(bars) + MARGIN
    image = Image.new("RGB", (WIDTH * SCALE, height * SCALE), PAPER)
    pen = ImageDraw.Draw(image)
    label, small = ImageFont.load_default(12 * SCALE), ImageFont.load_default(10.5 * SCALE)
    _legend(pen, chart["names"], small)
    for number, bar in enumerate(bars):
        top = 26 + number * ROW
        pen.text((MARGIN * SCALE, top * SCALE), _plain(bar["label"], 60), fill=INK, font=label)
        most = max(bar["values"]) or 1.0
        for at, (value, words, color) in enumerate(zip(bar["values"], bar["words"], (BEFORE, AFTER), strict=True)):
            y = top + 19 + at * (BAR + 3)
            length = max((WIDTH - VALUES - 2 * MARGIN) * value / most, 1.5)
            box = [MARGIN * SCALE, y * SCALE, (MARGIN + length) * SCALE, (y + BAR) * SCALE]
            pen.rounded_rectangle(box, radius=2 * SCALE, fill=color)
            pen.text(((MARGIN + length + 6) * SCALE, y * SCALE), _plain(words, 22), fill=INK, font=small)
    png = io.BytesIO()
    image.save(png, "PNG", optimize=True)
    return png.getvalue()


def _legend(pen: Any, names: Sequence[str], font: Any) -> None:
    x = float(MARGIN)
    for name, color in zip(names, (BEFORE, AFTER), strict=True):
        pen.rounded_rectangle([x * SCALE, 3 * SCALE, (x + 11) * SCALE, 14 * SCALE], radius=2 * SCALE, fill=color)
        pen.text(((x + 16) * SCALE, 2 * SCALE), _plain(name, 30), fill=SOFT, font=font)
        x += 16 + pen.textlength(_plain(name, 30), font=font) / SCALE + 18


def _plain(text: str, room: int) -> str:
    """One line; spaces that do not break are not in every font."""
    line = " ".join(text.replace("\u202f", " ").replace("\u00a0", " ").split())
    return line if len(line) <= room else line[: room - 1] + "…"
