"""Named queries: `queries/NAME.sql` holds them, each behind a line `-- name: …`; modules take them at import.

A query that does not exist fails the import, so a typing error cannot wait for its first use.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


@cache
def queries(group: str) -> dict[str, str]:
    """All queries of one file by name. Raises FileNotFoundError for an unknown group, ValueError for a double name."""
    text = resources.files(__package__).joinpath("queries", f"{group}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise ValueError(f"query {group}.{name} is there twice")
        found[name] = body.strip().removesuffix(";")
    return found


def sql(name: str) -> str:
    """One query by `group.name`. Raises KeyError for an unknown name."""
    group, _, query = name.partition(".")
    return queries(group)[query]
