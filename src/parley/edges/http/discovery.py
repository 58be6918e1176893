"""How XMPP clients find the WebSocket (XEP-0156, RFC 6415)."""

from __future__ import annotations

from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from parley.edges.http.exchange import Exchange

_REL = "urn:xmpp:alt-connections:websocket"
_DOMAIN = "urn:parley:domain"


class Discovery:
    """Answers `/.well-known/host-meta` and `/.well-known/host-meta.json`.

    Args:
        public_url: where this server is reached, without a final slash.
        domain: the primary domain, which the web app adds to a bare name.
    """

    def __init__(self, public_url: str, domain: str) -> None:
        href = websocket_url(public_url) + "/xmpp"
        self._document = {"properties": {_DOMAIN: domain}, "links": [{"rel": _REL, "href": href}]}
        self._xml = (
            "<?xml version='1.0' encoding='utf-8'?>\n"
            "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n"
            f"  <Property type={quoteattr(_DOMAIN)}>{escape(domain)}</Property>\n"
            f"  <Link rel={quoteattr(_REL)} href={quoteattr(href)}/>\n"
            "</XRD>\n"
        ).encode()

    async def host_meta(self, exchange: Exchange) -> None:
        """Send the XRD document."""
        # XEP-0156 §4: web pages of other origins must be able to read it.
        exchange.add_header("access-control-allow-origin", "*")
        await exchange.reply(200, (("content-type", "application/xrd+xml"),), self._xml)

    async def host_meta_json(self, exchange: Exchange) -> None:
        """Send the same as JSON."""
        exchange.add_header("access-control-allow-origin", "*")
        await exchange.reply_json(200, self._document)


def websocket_url(public_url: str) -> str:
    """Return the same address for WebSockets: `wss` for `https`, `ws` for `http`."""
    parts = urlsplit(public_url)
    return parts._replace(scheme="wss" if parts.scheme == "https" else "ws").geturl()


def origin_of(url: str) -> str:
    """Return the origin of an address as browsers write it (RFC 6454 §6.2): without path and default port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    is_default = parts.port is None or (parts.scheme, parts.port) in (("http", 80), ("https", 443))
    return f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{parts.port}"
