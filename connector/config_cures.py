"""What would be right in place of a value that the models of the settings do not take, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from connector.values import near
from workflows.said import Said

Loc = tuple[str | int, ...]
"""A place in the settings: keys, and positions in lists."""

_KINDS = {
    "list_type": Said("write a list, such as [a, b]"),
    "tuple_type": Said("write a list, such as [a, b]"),
    "dict_type": Said("write keys and values below it"),
    "model_type": Said("write keys and values below it"),
    "string_type": Said("write text, in quotes"),
    "bool_parsing": Said("write true or false"),
    "bool_type": Said("write true or false"),
    "int_parsing": Said("write a whole number"),
    "int_type": Said("write a whole number"),
    "too_short": Said("write at least one"),
    "string_too_short": Said("must not be empty"),
}


def cure_of(model: type[BaseModel], loc: Loc, error: dict[str, Any]) -> str:
    """The cure for one of pydantic's errors, at ``loc`` below ``model``."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    owner = _model_at(model, loc[:-1])
    if kind == "extra_forbidden":
        known = [one.alias or key for key, one in owner.model_fields.items()]
        return Said("unknown key; %(near)sKeys here: %(known)s", near=near(str(loc[-1]), known), known=", ".join(known))
    if kind == "missing":
        about = owner.model_fields.get(str(loc[-1]))
        examples = about.examples if about and about.examples else []
        what = (about.description or "") if about else ""
        if not examples:
            return Said("is missing. %(what)s", what=what) if what else Said("is missing.")
        return Said("is missing. %(what)s For example: %(example)s", what=what, example=json.dumps(examples[0]))
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        hint = near(str(error["input"]), known)
        return Said("%(near)sWrite one of: %(known)s", near=hint, known=", ".join(known))
    if kind in ("greater_than_equal", "less_than_equal"):
        if "ge" in context:
            return Said("write %(least)s or more", least=context["ge"])
        return Said("write %(most)s or less", most=context["le"])
    return _KINDS.get(kind) or str(error["msg"])


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel]:
    """The model that holds the keys at ``loc``."""
    for part in loc:
        about = model.model_fields.get(str(part))
        model = (model_in(about.annotation) if about else None) or model
    return model


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a key's value is made of, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := model_in(one))), None)


def as_written(raw: Any, loc: Loc) -> Loc:
    """The place as the file has it: where one name stood for a list of one, there is no index."""
    written: Loc = ()
    for part in loc:
        if part == "[key]" or not isinstance(raw, Mapping | list):
            break
        written = (*written, part)
        raw = raw.get(part) if isinstance(raw, Mapping) else raw[int(part)]
    return written
