"""The folder scan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parley.base.config import ArchiveSettings, Settings, TlsSettings
from parley.edges.xmpp import extensions
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions import xep_0199_ping
from parley.edges.xmpp.requests import handlers_of

FOLDER = Path(extensions.__path__[0])


async def handle(_request: IqRequest) -> bytes:
    return b""


def test_every_file_declares_what_its_name_says() -> None:
    files = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    found = extensions.load()
    assert len(found) == len(files)
    for extension, name in zip(found, files, strict=True):
        number = re.match(r"(xep|rfc)_(\d{4})_", name)
        expected = "Parley" if number is None else f"{number[1].upper()}{'-' if number[1] == 'xep' else ' '}{number[2]}"
        assert extension.spec == expected
        assert extension.name
        assert extension.version
        assert extension.status


def test_settings_choose() -> None:
    settings = Settings(domains=("example.org",), tls=TlsSettings(), archive=ArchiveSettings(enabled=False))
    left_out = {extension.spec for extension in extensions.load()} - {e.spec for e in extensions.load(settings)}
    federation = {"XEP-0178", "XEP-0185", "XEP-0220", "XEP-0288"}
    archives = {"XEP-0313", "XEP-0424", "XEP-0430", "XEP-0431", "XEP-0441"}
    assert left_out == {"XEP-0114", "XEP-0445", "XEP-0215"} | federation | archives


def test_two_answers_to_one_request_are_refused() -> None:
    handler = IqHandler("get", "urn:xmpp:ping", "ping", frozenset({Target.ACCOUNT}), handle)
    with pytest.raises(ValueError, match="answered already"):
        handlers_of([xep_0199_ping.EXTENSION, Extension("X", "X", "0", iq=(handler,))])


def test_a_module_without_a_constant_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing_here.py").write_text("")
    monkeypatch.setattr(extensions, "__path__", [*extensions.__path__, str(tmp_path)])
    with pytest.raises(TypeError, match="nothing_here"):
        extensions.load()
