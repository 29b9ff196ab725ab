"""A sentence with its parts, so that whoever shows it can say it in another language."""

from __future__ import annotations

from collections.abc import Mapping


class Said(str):
    """A sentence with what is filled in, so that a page can say it in another language; a plain text otherwise.

    ``template`` is the English one, with ``%(name)s`` for each of ``values``. It may be stored, sent and compared as
    the text that it is: whoever shows it later can find template and values again in the text alone.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Said:
        """The template with the values in their places."""
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made
