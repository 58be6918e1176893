"""How XMPP clients find the WebSocket (XEP-0156, RFC 6415)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

import idna

from parley.edges.http.exchange import Exchange

_REL = "urn:xmpp:alt-connections:websocket"
_DOMAIN = "urn:parley:domain"


class Discovery:
    """Answers `/.well-known/host-meta` and `/.well-known/host-meta.json` for every domain that is served.

    RFC 6415 §2: the document is about the host that was asked. All have the same WebSocket; what differs is the domain
    that the web app adds to a bare name: the one asked for, or the primary one at any other address.

    Args:
        public_url: where this server is reached, without a final slash.
        domains: what it serves, the primary one first.
    """

    def __init__(self, public_url: str, domains: Sequence[str]) -> None:
        self._href = websocket_url(public_url) + "/xmpp"
        self._primary = domains[0]
        self._by_host = {idna.encode(domain, uts46=True).decode("ascii"): domain for domain in domains}

    async def host_meta(self, exchange: Exchange) -> None:
        """Send the XRD document."""
        # XEP-0156 §4: web pages of other origins must be able to read it.
        exchange.add_header("access-control-allow-origin", "*")
        await exchange.reply(200, (("content-type", "application/xrd+xml"),), self._xml(self._domain(exchange)))

    async def host_meta_json(self, exchange: Exchange) -> None:
        """Send the same as JSON."""
        exchange.add_header("access-control-allow-origin", "*")
        links = [{"rel": _REL, "href": self._href}]
        await exchange.reply_json(200, {"properties": {_DOMAIN: self._domain(exchange)}, "links": links})

    def _domain(self, exchange: Exchange) -> str:
        host = (exchange.header("host") or "").rpartition(":")
        name = host[0] if host[2].isdigit() and host[0] else "".join(host)
        return self._by_host.get(name.lower().removesuffix("."), self._primary)

    def _xml(self, domain: str) -> bytes:
        return (
            "<?xml version='1.0' encoding='utf-8'?>\n"
            "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n"
            f"  <Property type={quoteattr(_DOMAIN)}>{escape(domain)}</Property>\n"
            f"  <Link rel={quoteattr(_REL)} href={quoteattr(self._href)}/>\n"
            "</XRD>\n"
        ).encode()


def websocket_url(public_url: str) -> str:
    """Return the same address for WebSockets: `wss` for `https`, `ws` for `http`."""
    parts = urlsplit(public_url)
    return parts._replace(scheme="wss" if parts.scheme == "https" else "ws").geturl()
