"""What the specifications say, one file each: `xep_NNNN_name.py` or `rfc_NNNN_name.py` with one constant `EXTENSION`.

Here: behaviour that a specification owns, declared as `edges/xmpp/extension.py` describes. Not here: payload syntax
(`protocols/xmpp`), the common path of stanzas (`edges/xmpp`). `pubsub/` holds what XEP-0163 needs of XEP-0060.
To add one, copy `xep_0199_ping.py`: the folder is scanned, discovery and the reference page follow by themselves.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.requests import handlers_of

if TYPE_CHECKING:
    from parley.base.config import Settings


def load(settings: Settings | None = None) -> tuple[Extension, ...]:
    """All extensions in the order of their modules' names; with `settings`, those that these enable.

    Raises:
        TypeError: a module declares no extension.
        ValueError: two extensions answer the same request or the same element.
    """
    found = tuple(_extension(module.name) for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    handlers_of(found)
    _check_nonzas(found)
    if settings is None:
        return found
    return tuple(extension for extension in found if extension.is_enabled is None or extension.is_enabled(settings))


def _extension(name: str) -> Extension:
    extension = getattr(importlib.import_module(f"{__name__}.{name}"), "EXTENSION", None)
    if not isinstance(extension, Extension):
        raise TypeError(f"extensions/{name}.py declares no EXTENSION")
    return extension


def _check_nonzas(extensions: tuple[Extension, ...]) -> None:
    known: set[tuple[str, str]] = set()
    for extension in extensions:
        for key in extension.nonzas:
            if key in known:
                raise ValueError(f"{extension.spec} handles {key}, which is handled already")
            known.add(key)
