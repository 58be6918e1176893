from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocols.http.media import (
    MAX_FILENAME_BYTES,
    content_disposition,
    essence,
    is_inline_safe,
    pick_coding,
    safe_filename,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Text/HTML; charset=utf-8", "text/html"),
        (" audio/ogg ", "audio/ogg"),
        ("audio/ogg;codecs=opus", "audio/ogg"),
        ("", None),
        ("text", None),
        ("text/", None),
        ("text/html, text/plain", None),
        ("text/html\r\nx: y", None),
        ("text/html;\r\n", None),
    ],
)
def test_essence(value: str, expected: str | None):
    assert essence(value) == expected


@pytest.mark.parametrize("value", ["audio/ogg", "video/mp4", "image/png", "text/plain; charset=utf-8", "AUDIO/MPEG"])
def test_shown(value: str):
    assert is_inline_safe(value)


@pytest.mark.parametrize(
    "value",
    ["text/html", "image/svg+xml", "audio/a+xml", "application/pdf", "text/xml", "image/png,text/html", "", "x"],
)
def test_not_shown(value: str):
    assert not is_inline_safe(value)


@given(st.text(min_size=1, max_size=60))
def test_names_become_harmless_and_survive_the_header(name: str):
    safe = safe_filename(name)
    assert safe
    assert safe.strip(".")
    assert not set(safe) & set('/\\"\0\r\n')
    assert len(safe.encode()) <= MAX_FILENAME_BYTES
    assert safe_filename(safe) == safe
    header = content_disposition(safe, is_inline=False)
    assert header.isascii()
    _, plain, *extended = header.split("; ")
    # RFC 6266 §4.3: the extended parameter counts where there is one.
    assert (unquote(extended[0].removeprefix("filename*=UTF-8''")) if extended else plain[10:-1]) == safe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\b.txt", "b.txt"),
        ("", "file"),
        ("..", "file"),
        ("a/", "file"),
        ("a\r\nb", "a__b"),
        ("x" * 300 + ".ogg", "x" * 251 + ".ogg"),
        ("ü" * 200, "ü" * 127),
        ("x" + "\xa0" * 300, "x"),
    ],
)
def test_names(name: str, expected: str):
    assert safe_filename(name) == expected


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (None, None),
        ("", None),
        ("br, gzip", "br"),
        ("gzip", "gzip"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("br;q=0", None),
        ("deflate", None),
        ("nonsense;;;, gzip", "gzip"),
    ],
)
def test_codings(accepted: str | None, expected: str | None):
    assert pick_coding(accepted, ("br", "gzip")) == expected
    assert pick_coding(accepted, ()) is None
