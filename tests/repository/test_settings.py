"""Every setting does something."""

import re
from pathlib import Path

from parley.base.config import Settings

SOURCES = Path(__file__).resolve().parents[2] / "src" / "parley"
FOR_LATER_RELEASES = {"sip", "media"}


def test_every_setting_is_read_somewhere():
    code = "\n".join(
        path.read_text() for path in SOURCES.rglob("*.py") if "config" not in path.relative_to(SOURCES).parts
    )
    unread = [
        f"{section}.{name}"
        for section, field in Settings.model_fields.items()
        if section not in FOR_LATER_RELEASES
        for name in getattr(field.annotation, "model_fields", {})
        if f"{section}.{name}" not in FOR_LATER_RELEASES and not re.search(rf"\.{name}\b", code)
    ]
    assert unread == []
