"""Fuzz target: headers of uploads and downloads are read or refused with HeaderError, and mean what they say."""

import ipaddress
from contextlib import suppress

from parley.protocols.http import digests, forwarding, media, preconditions, ranges, tus
from parley.protocols.http.errors import HeaderError

PROXIES = [ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32")]

SEEDS = [
    b"filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential",
    b"sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
    b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, sha-512=:AAAA:",
    b"md5=AAAA,sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
    b"bytes=0-499, -500, 9500-",
    b'"abc", W/"def", *',
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"70",
    b"203.0.113.7:99, [2001:db8::1]:443, ::ffff:192.0.2.9, 192.0.2.1",
    "../Sprachnachricht ü.ogg".encode("latin-1"),
]


def target(data: bytes) -> None:
    """Read `data` as the value of every header in turn."""
    text = data.decode("latin-1")
    _read_uploads(text)
    spans = ranges.resolve(ranges.parse_range(text) or (), 1000)
    assert all(0 <= span.start < span.end <= 1000 for span in spans)
    assert sum(span.size_bytes for span in spans) <= 1000
    client = forwarding.client_of("192.0.2.1", text, PROXIES)
    assert str(ipaddress.ip_address(client)) == client
    assert forwarding.client_of("203.0.113.7", text, PROXIES) == "203.0.113.7"
    time_s = preconditions.parse_http_date(text)
    assert time_s is None or preconditions.parse_http_date(preconditions.http_date(time_s)) == time_s
    preconditions.evaluate(lambda name: text, preconditions.Validators('"abc"', 784111777))
    preconditions.range_applies(text, preconditions.Validators('"abc"', 784111777))
    name = media.safe_filename(text)
    assert media.safe_filename(name) == name
    assert media.content_disposition(name, is_inline=True).isascii()
    assert media.pick_coding(text, ("br", "gzip")) in (None, "br", "gzip")
    assert not (media.is_inline_safe(text) and "+" in (media.essence(text) or ""))


def _read_uploads(text: str) -> None:
    with suppress(HeaderError):
        assert tus.parse_number("Upload-Offset", text) >= 0
    with suppress(HeaderError):
        pairs = tus.parse_metadata(text)
        assert tus.parse_metadata(tus.format_metadata(pairs)) == pairs
    with suppress(HeaderError):
        checksum = tus.parse_checksum(text)
        assert len(checksum.digest) == tus.CHECKSUM_SIZES[checksum.algorithm]
    with suppress(HeaderError):
        assert len(digests.parse_content_digest("Content-Digest", text) or b"") in (0, digests.SHA256_BYTES)
    with suppress(HeaderError):
        assert len(digests.parse_legacy_digest(text) or b"") in (0, digests.SHA256_BYTES)


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
