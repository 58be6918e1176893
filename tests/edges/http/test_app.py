"""Routing, the web app, discovery, operations, WebSocket handshakes, errors."""

import ipaddress
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from parley.base.config.values import origin_of
from parley.domain.errors import StorageUnavailable
from parley.edges.http.asgi import Application
from parley.edges.http.discovery import websocket_url
from parley.edges.http.operations import Operations
from parley.edges.http.webapp import security_headers
from parley.edges.http.websocket import PROTECTED, WebSocketRoute
from parley.ops.health import Health

from .harness import PUBLIC_URL, Site, Wire, path_of


@pytest.fixture
def site(tmp_path: Path):
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html>app")
    (dist / "assets" / "index-BxQ9f3aZ.js").write_text("script()")
    (dist / "assets" / "index-BxQ9f3aZ.js.br").write_bytes(b"brotli")
    (dist / "assets" / "index-BxQ9f3aZ.js.gz").write_bytes(b"gzip")
    (dist / "manifest.webmanifest").write_text("{}")
    (tmp_path / "secret").write_text("secret")
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("path", ["/", "/chat/bob@example.org/", "/settings", "/index.html"])
async def test_every_address_of_the_app_is_the_app(site: Site, path: str):
    reply = await site.request("GET", path)
    assert (reply.status, reply.body) == (200, b"<!doctype html>app")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"


async def test_pages_are_bounded(site: Site):
    headers = (await site.request("GET", "/")).headers
    policy = headers["content-security-policy"].split("; ")
    assert "default-src 'self'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy
    assert "connect-src 'self' blob: https://chat.example wss://chat.example" in policy
    assert "frame-ancestors 'none'" in policy
    assert not [part for part in policy if "unsafe-inline" in part or "'unsafe-eval'" in part or "*" in part]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["permissions-policy"].startswith("microphone=(self)")
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["server"] == "parley"


def test_plain_http_promises_no_transport_security():
    names = [name for name, _ in security_headers("http://localhost:8080")]
    assert "strict-transport-security" not in names


@pytest.mark.parametrize(
    ("accepted", "body", "coding"),
    [
        (None, b"script()", None),
        ("gzip, deflate, br", b"brotli", "br"),
        ("gzip", b"gzip", "gzip"),
        ("br;q=0, gzip;q=0.1", b"gzip", "gzip"),
        ("identity", b"script()", None),
    ],
)
async def test_hashed_assets_are_kept_and_compressed(site: Site, accepted: str | None, body: bytes, coding: str | None):
    reply = await site.request("GET", "/assets/index-BxQ9f3aZ.js", {"accept-encoding": accepted} if accepted else {})
    assert (reply.status, reply.body, reply.headers.get("content-encoding")) == (200, body, coding)
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["vary"] == "accept-encoding"
    again = await site.request(
        "GET",
        "/assets/index-BxQ9f3aZ.js",
        {"if-none-match": reply.headers["etag"]} | ({"accept-encoding": accepted} if accepted else {}),
    )
    assert (again.status, again.body) == (304, b"")


async def test_head_of_a_file(site: Site):
    reply = await site.request("HEAD", "/")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "18")


@pytest.mark.parametrize(
    "path",
    [
        "/missing.js",
        "/assets/index-BxQ9f3aZ.js.map",
        "/../secret.txt",
        "//secret.txt",
        "/api/v1/x",
        "/sip",
        "/upload/x/y",
        "/.well-known/other",
        "/health",
        "/metrics/x",
    ],
)
async def test_what_is_not_there(site: Site, path: str):
    reply = await site.request("GET", path)
    assert reply.status in (404, 405)
    assert json.loads(reply.body)["error"]["code"] in ("not-found", "method-not-allowed")
    assert b"secret" not in reply.body
    assert reply.headers["content-type"] == "application/json"


async def test_other_methods_are_told_what_is_allowed(site: Site):
    for path in ("/", "/health/live", "/xmpp"):
        reply = await site.request("POST", path, body=b"x")
        assert (reply.status, reply.code, reply.headers["allow"]) == (405, "method-not-allowed", "GET, HEAD")


async def test_without_a_build_the_server_says_so(tmp_path: Path):
    site = Site(tmp_path / "empty")
    reply = await site.request("GET", "/")
    assert reply.status == 200
    assert b"has not been built" in reply.body
    site.close()


async def test_discovery(site: Site):
    xml = await site.request("GET", "/.well-known/host-meta")
    domain, link = ElementTree.fromstring(xml.body)
    assert (domain.attrib, domain.text) == ({"type": "urn:parley:domain"}, "example.org")
    assert link.attrib == {"rel": "urn:xmpp:alt-connections:websocket", "href": "wss://chat.example/xmpp"}
    assert xml.headers["content-type"] == "application/xrd+xml"
    document = await site.request("GET", "/.well-known/host-meta.json")
    assert json.loads(document.body)["links"] == [link.attrib]
    for reply in (xml, document):
        assert reply.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.org", "example.org"),
        ("xn--bcher-kva.example", "bücher.example"),
        ("XN--BCHER-KVA.example.:8443", "bücher.example"),
        ("chat.example", "example.org"),
        ("[::1]:8080", "example.org"),
        ("", "example.org"),
    ],
)
async def test_discovery_is_about_the_domain_that_was_asked(site: Site, host: str, domain: str):
    xml = await site.request("GET", "/.well-known/host-meta", {"host": host})
    named, link = ElementTree.fromstring(xml.body)
    document = json.loads((await site.request("GET", "/.well-known/host-meta.json", {"host": host})).body)
    assert (named.text, document["properties"]) == (domain, {"urn:parley:domain": domain})
    assert document["links"] == [link.attrib]
    assert link.attrib["href"] == "wss://chat.example/xmpp"


@pytest.mark.parametrize(
    ("url", "origin", "websocket"),
    [
        ("https://a.example", "https://a.example", "wss://a.example"),
        ("https://a.example:443", "https://a.example", "wss://a.example:443"),
        ("http://localhost:8080", "http://localhost:8080", "ws://localhost:8080"),
        ("http://[::1]:80/parley", "http://[::1]", "ws://[::1]:80/parley"),
    ],
)
def test_addresses(url: str, origin: str, websocket: str):
    assert origin_of(url) == origin
    assert websocket_url(url) == websocket


async def test_health(site: Site):
    assert json.loads((await site.request("GET", "/health/live")).body) == {"status": "live"}
    assert (await site.request("GET", "/health/ready")).status == 200

    async def starting() -> str:
        return "starting"

    site.health.add("storage", starting)
    reply = await site.request("GET", "/health/ready")
    assert reply.status == 503
    assert json.loads(reply.body) == {"status": "not-ready", "problems": {"storage": "starting"}}
    assert (await site.request("GET", "/health/live")).status == 200


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.9.9.9", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("192.0.2.1", {}, 403),
        ("::ffff:192.0.2.1", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.1"}, 403),
        ("127.0.0.1", {"forwarded": "for=192.0.2.1"}, 403),
    ],
)
async def test_figures_are_for_this_machine(site: Site, client: str, headers: dict, status: int):
    reply = await site.request("GET", "/metrics", headers, client=client)
    assert reply.status == status
    if status == 200:
        assert b"parley_connections" in reply.body
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    else:
        assert reply.code == "forbidden"


async def test_figures_for_configured_addresses(site: Site):
    operations = Operations(Health(), site.metrics, [ipaddress.ip_network("192.0.2.0/24")])
    site.app._fixed["/metrics"] = operations.figures
    assert (await site.request("GET", "/metrics", client="192.0.2.7")).status == 200
    assert (await site.request("GET", "/metrics", client="127.0.0.1")).status == 403


async def test_the_websocket_address_wants_an_upgrade(site: Site):
    reply = await site.request("GET", "/xmpp")
    assert (reply.status, reply.code, reply.headers["upgrade"]) == (426, "upgrade-required", "websocket")


async def handshake(
    site: Site,
    origin: str | None,
    subprotocols: list[str],
    path: str = "/xmpp",
    app: Application | None = None,
    **further: bool,
) -> list[dict]:
    headers = [(b"host", b"Chat.example")] + ([(b"origin", origin.encode())] if origin else [])
    scope = {
        "type": "websocket",
        "path": path,
        "headers": headers,
        "subprotocols": subprotocols,
        "extensions": {"websocket.http.response": {}},
        **further,
    }
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    await (app or site.app)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "origin", [None, PUBLIC_URL, "http://chat.example", "https://app.example", "http://app.example:8000"]
)
async def test_own_pages_and_programs_may_open_a_websocket(site: Site, origin: str | None):
    assert await handshake(site, origin, ["xmpp"]) == [{"type": "websocket.accept", "subprotocol": "xmpp"}]
    assert len(site.connections) == 1


@pytest.mark.parametrize(
    ("origin", "subprotocols", "path", "status", "code"),
    [
        ("https://evil.example", ["xmpp"], "/xmpp", 403, "origin-refused"),
        ("https://app.example:8000", ["xmpp"], "/xmpp", 403, "origin-refused"),
        ("http://app.example", ["xmpp"], "/xmpp", 403, "origin-refused"),
        ("null", ["xmpp"], "/xmpp", 403, "origin-refused"),
        ("https://chat.example.evil.example", ["xmpp"], "/xmpp", 403, "origin-refused"),
        (None, [], "/xmpp", 400, "subprotocol-required"),
        (None, ["sip"], "/xmpp", 400, "subprotocol-required"),
        (None, ["xmpp"], "/", 404, "not-found"),
    ],
)
async def test_other_websockets_are_refused(
    site: Site, origin: str | None, subprotocols: list[str], path: str, status: int, code: str
):
    start, body = await handshake(site, origin, subprotocols, path)
    assert start["status"] == status
    assert json.loads(body["body"])["error"]["code"] == code
    assert not site.connections
    assert site.metrics.value("parley_refused_total", code=code) == 1


async def test_every_origin_may_be_allowed(site: Site):
    site.websocket.origins = ("*",)
    assert (await handshake(site, "https://evil.example", ["xmpp"]))[0]["type"] == "websocket.accept"
    site.websocket.origins = ()
    assert (await handshake(site, "https://app.example", ["xmpp"]))[0]["status"] == 403


async def test_where_tls_is_required_a_websocket_that_others_can_read_is_refused(site: Site):
    route = WebSocketRoute(site.on_websocket, PUBLIC_URL, site.metrics, is_tls_required=True)
    for protected, is_let_in in ({PROTECTED: True}, True), ({PROTECTED: False}, False), ({}, False):
        sent = await handshake(site, None, ["xmpp"], app=route, **protected)
        if is_let_in:
            assert sent == [{"type": "websocket.accept", "subprotocol": "xmpp"}]
        else:
            start, body = sent
            assert (start["status"], json.loads(body["body"])["error"]["code"]) == (403, "tls-required")
    assert len(site.connections) == 1
    assert site.metrics.value("parley_refused_total", code="tls-required") == 2


async def test_a_defect_tells_the_peer_nothing(site: Site):
    slot = await site.slot(b"x")
    site.faults.errors["advance"] = RuntimeError("secret detail")
    reply = await site.request("PUT", path_of(slot.put_url), body=b"x")
    assert (reply.status, reply.code) == (500, "internal")
    assert b"secret" not in reply.body


async def test_a_failing_storage_is_told_as_such(site: Site):
    slot = await site.slot(b"x")
    site.faults.errors["advance"] = StorageUnavailable("storage-unavailable", "secret detail")
    reply = await site.request("PUT", path_of(slot.put_url), body=b"x")
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "storage-unavailable", "5")
    assert b"secret" not in reply.body


async def test_an_unwanted_body_is_read_on_so_that_the_answer_arrives(site: Site):
    wire = Wire("PUT", "/upload/a/b", {"content-length": "30"})
    for _ in range(2):
        wire.put(b"x" * 10, more_body=True)
    wire.put(b"x" * 10, more_body=False)
    await site.app(wire.scope, wire.receive, wire.send)
    assert wire.reply.status == 404
    assert not wire._incoming.qsize()
