"""Writes configuration for people: a commented config.yaml, and the JSON Schema that editors use to help.

Both come from the models in :mod:`connector.settings` and from each adapter's ``settings_model``, so they are never out
of step. A key that may be left out is written as ``#key: value``; a reason as ``# reason``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from adapters.port import Adapter
from connector.account_settings import AccountConfig
from connector.settings import OAuthConfig, Settings
from connector.values import format_duration

_HEAD = """\
# The settings of Aurevoir. `aurevoir check` says in plain words what is wrong with them.
# ${NAME} is taken from the environment; where NAME_FILE is set there instead, from the file with that path.
# A key behind a # may be left out; it is shown with its default, or with an example where it has none.
"""
_NAMES = ("acme", "globex", "initech", "umbrella")


def config_text(adapters: Mapping[str, Adapter]) -> str:
    """A config.yaml with one account for each of these adapters."""
    lines = [_HEAD]
    for key, about in Settings.model_fields.items():
        if key == "accounts":
            lines += _reason(about, "")
            lines.append("accounts:")
            for name, crm in zip(_NAMES, adapters, strict=False):
                lines.append(f"  {name}:")
                lines += _account(crm, adapters[crm], "    ")
        elif key == "oauth":
            apps = {
                crm: {one: _example(one, at, crm) for one, at in OAuthConfig.model_fields.items()} for crm in adapters
            }
            lines += [*_reason(about, ""), f"#oauth: {_value(apps)}"]
        else:
            lines += _field(key, about, "", "aurevoir")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def placeholders(text: str) -> list[str]:
    """The names of the environment variables that a configuration needs, in order."""
    active = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return list(dict.fromkeys(re.findall(r"\$\{(\w+)\}", active)))


def config_schema(adapters: Mapping[str, Adapter]) -> dict[str, Any]:
    """The JSON Schema of config.yaml, with each adapter's own keys."""
    schema = Settings.model_json_schema()
    defs = schema["$defs"]
    common = defs.pop("AccountConfig")
    del common["properties"]["vendor"]
    for crm, adapter in adapters.items():
        vendor = adapter.settings_model.model_json_schema(ref_template=f"#/$defs/{crm}.{{model}}")
        defs |= {f"{crm}.{name}": one for name, one in vendor.pop("$defs", {}).items()}
        properties = common["properties"] | {"crm": {"const": crm}} | vendor["properties"]
        required = [*common["required"], *vendor.get("required", [])]
        defs[f"{crm}.account"] = common | {"title": adapter.label, "properties": properties, "required": required}
    any_account = [{"$ref": f"#/$defs/{crm}.account"} for crm in adapters]
    schema["properties"]["accounts"]["additionalProperties"] = {"anyOf": any_account}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Aurevoir config.yaml"} | schema


# --- lines ----------------------------------------------------------------------------------------------------------


def _account(crm: str, adapter: Adapter, indent: str) -> Iterator[str]:
    known = adapter.settings_model.model_json_schema().get("examples") or [{}]
    for key, about in AccountConfig.model_fields.items():
        if key == "crm":
            yield from (*_reason(about, indent), f"{indent}crm: {crm}")
        elif key == "account_id":
            yield from (
                *_reason(about, indent),
                f"{indent}account_id: {_value(known[0].get(key) or _placeholder(crm, key))}",
            )
            for own, at in adapter.settings_model.model_fields.items():
                yield from _field(own, at, indent, crm)
        elif key != "vendor":
            yield from _field(key, about, indent, crm)


def _field(key: str, about: FieldInfo, indent: str, prefix: str) -> Iterator[str]:
    yield from _reason(about, indent)
    model, listed = _model_in(about.annotation)
    if model is None or about.examples:
        mark = "" if _is_active(about) else "#"
        yield f"{indent}{mark}{key}: {_value(_example(key, about, prefix))}"
        return
    yield f"{indent}{key}:"
    inner = indent + ("    " if listed else "  ")
    if listed:
        yield f"{indent}  -"
    for own, at in model.model_fields.items():
        yield from _field(own, at, inner, prefix)


def _reason(about: FieldInfo, indent: str) -> Iterator[str]:
    if about.description:
        yield f"{indent}# {about.description}"


def _is_active(about: FieldInfo) -> bool:
    """Shown as set: what must be there, credentials, and what an admin will want to be other than the default."""
    if isinstance(about.json_schema_extra, dict) and about.json_schema_extra.get("x-shown"):
        return True
    if about.is_required() or (_is_secret(about.annotation) and not about.examples):
        return True
    return bool(about.examples and about.get_default())


def _example(key: str, about: FieldInfo, prefix: str) -> object:
    if about.examples:
        return about.examples[0]
    if about.is_required() or _is_secret(about.annotation):
        return _placeholder(prefix, key)
    return about.get_default(call_default_factory=True, validated_data={})


def _placeholder(prefix: str, key: str) -> str:
    return f"${{{prefix}_{key}}}".upper()


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(one) for one in get_args(annotation))


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a key's value is made of, and whether the value is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    listed = get_origin(annotation) in (tuple, list)
    found = next((model for one in get_args(annotation) if (model := _model_in(one)[0]) is not None), None)
    return found, listed and found is not None


def _value(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if value is None:
        return "null"
    plain = list(value) if isinstance(value, tuple) else value
    dumped = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return dumped.removesuffix("\n").removesuffix("\n...")
