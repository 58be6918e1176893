"""Writes what operators read: the example file of `parley init` and the reference page of all settings."""

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Le, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from parley.base.config.section import Section
from parley.base.config.sections import Settings

_EXAMPLE_SETTINGS = {
    "http": ("listen", "public_url"),
    "tls": ("certificate", "private_key"),
    "xmpp": ("c2s", "c2s_tls", "s2s", "require_tls", "registration"),
    "archive": ("enabled",),
    "sip": ("udp", "tcp", "tls"),
    "media": ("address", "ports"),
    "log": ("level", "format"),
}


def render_default(domains: Sequence[str], values: Mapping[str, object] | None = None) -> str:
    """Return the text of a settings file with the most used settings and what they mean.

    Args:
        domains: the domains to serve, the primary one first.
        values: settings that differ from their default, by dotted path; they are written whether most used or not.
    """
    given = dict(values or {})
    lines = [
        "# Settings of a Parley server. `parley check` reads this file and says what is wrong with it.",
        "# All settings, with units and bounds: docs/reference/configuration.md",
        "",
        f"domains = {_toml(tuple(domains))}",
        f"data_dir = {_toml(given.pop('data_dir', _default(Settings, 'data_dir')))}",
    ]
    for name, section in _sections():
        wanted = [
            key for key in section.model_fields if key in _EXAMPLE_SETTINGS.get(name, ()) or f"{name}.{key}" in given
        ]
        if not wanted:
            continue
        lines += ["", f"[{name}]"]
        for key in wanted:
            value = given.pop(f"{name}.{key}", _default(section, key))
            lines += [*_comment(section.model_fields[key]), f"{key} = {_toml(value)}"]
    if given:
        raise ValueError(f"no such settings: {', '.join(sorted(given))}")
    return "\n".join(lines) + "\n"


def reference_markdown() -> str:
    """Return `docs/reference/configuration.md`."""
    parts = [
        "# Configuration\n",
        "<!-- Generated from src/parley/base/config/sections.py by `make docs`. -->\n",
        "Parley reads one TOML file, by default the one that `parley init` wrote. An unknown key is an error that names"
        " its path. Relative paths start at the file's folder. `--set section.name=value` overrides a setting for one"
        " run; the value is read as TOML and, when it is none, as plain text.\n",
        "Settings marked *reload* take effect when the server receives SIGHUP; all others at the next start. Addresses"
        ' are written `"127.0.0.1:5222"` or `"[::1]:5222"`.\n',
        "## Top level\n",
        _table((name, field) for name, field in Settings.model_fields.items() if not _is_section(field)),
    ]
    for name, section in _sections():
        parts += [f"## [{name}]\n", f"{_doc(section)}\n", _table(section.model_fields.items())]
    for name, section in _lists_of_tables():
        parts += [f"## [[{name}]]\n", f"{_doc(section)}\n", _table(section.model_fields.items())]
    return "\n".join(parts)


def _comment(field: FieldInfo) -> list[str]:
    return textwrap.wrap(field.description or "", 100, initial_indent="# ", subsequent_indent="# ")


def _sections() -> Iterable[tuple[str, type[Section]]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield name, field.annotation


def _lists_of_tables() -> Iterable[tuple[str, type[Section]]]:
    for name, field in Settings.model_fields.items():
        for inner in get_args(field.annotation):
            if isinstance(inner, type) and issubclass(inner, Section):
                yield name, inner


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _doc(section: type[BaseModel]) -> str:
    return " ".join((section.__doc__ or "").split())


def _default(section: type[BaseModel], name: str) -> object:
    return section.model_fields[name].default


def _table(fields: Iterable[tuple[str, FieldInfo]]) -> str:
    rows = ["| setting | default | unit | bounds | meaning |", "|---|---|---|---|---|"]
    for name, field in fields:
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = "required" if field.is_required() else f"`{_toml(field.default)}`"
        meaning = (field.description or "") + (" *reload*" if extra.get("reload") else "")
        rows.append(f"| `{name}` | {default} | {extra.get('unit', '')} | {_bounds(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _bounds(field: FieldInfo) -> str:
    choices = getattr(field.annotation, "__args__", ()) if "Literal" in str(field.annotation) else ()
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    texts = []
    for bound in field.metadata:
        if isinstance(bound, Ge):
            texts.append(f"from {bound.ge}")
        elif isinstance(bound, Le):
            texts.append(f"to {bound.le}")
        elif isinstance(bound, MinLen):
            texts.append(f"at least {bound.min_length}")
    return " ".join(texts)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, Path):
        value = str(value)
    # A TOML basic string takes the escapes of JSON, save that DEL must be escaped too.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
