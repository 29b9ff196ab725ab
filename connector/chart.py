"""The bars of the chart of key figures, start above now (P-24): a small PNG for documents, drawn with Pillow.

Each figure has a scale of its own, since users, hours and money share none. There is no text in the picture: names and
values stand beside it as text, in the document's own font, for every language and for screen readers.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

SCALE = 3
"""Pixels for each point of the design, so that it prints sharply."""
WIDTH, BAR, GAP = 470, 12, 3
"""In points; a document shows it as wide as its text."""
PAPER, BEFORE, AFTER = "#ffffff", "#b9c3c0", "#22615a"
MOST = 12
"""Figures that a chart shows; all of them stand in the table."""


def draw(values: Sequence[float]) -> bytes:
    """Two bars for the value at the start and the value now, neither negative, as PNG."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH * SCALE, (2 * BAR + GAP) * SCALE), PAPER)
    pen = ImageDraw.Draw(image)
    most = max(values) or 1.0
    for number, (value, color) in enumerate(zip(values, (BEFORE, AFTER), strict=True)):
        top = number * (BAR + GAP)
        length = max((WIDTH - 1) * value / most, 1.5)
        pen.rounded_rectangle([0, top * SCALE, length * SCALE, (top + BAR) * SCALE - 1], radius=2 * SCALE, fill=color)
    png = io.BytesIO()
    image.save(png, "PNG", optimize=True)
    return png.getvalue()
