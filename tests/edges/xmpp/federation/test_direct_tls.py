"""TLS from the first byte between servers (XEP-0368)."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from tests.edges.xmpp.federation.net import two_servers

from parley.base.net.resolver import Target

PING = "<iq to='beta.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"


async def test_the_domain_is_named_and_the_protocol_asked_for(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, _beta):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "beta.example.pem", tmp_path / "beta.example.key")
        context.set_alpn_protocols(["h2", "xmpp-client", "xmpp-server"])
        names: list[str] = []
        context.sni_callback = lambda _connection, name, _context: names.append(name)
        seen: asyncio.Future[tuple[str, bytes]] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            said = await reader.readuntil(b"version='1.0'")
            seen.set_result((writer.get_extra_info("ssl_object").selected_alpn_protocol(), said))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        # The host that a record names is not whom the certificate is to be for.
        alpha.names.targets["beta.example"] = [Target("host.provider.example", port, is_tls=True)]
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await alice.send(PING)
        async with asyncio.timeout(10):
            protocol, said = await seen
        assert names == ["beta.example"]
        assert protocol == "xmpp-server"
        # §2: no STARTTLS there; a stream begins at once.
        assert said.startswith(b"<?xml")
        server.close()


async def test_starttls_is_neither_offered_nor_taken_where_tls_is(tmp_path: Path) -> None:
    async with two_servers(tmp_path, is_direct=True) as (_alpha, beta):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["xmpp-server"])
        reader, writer = await asyncio.open_connection("127.0.0.1", beta.port, ssl=context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "xmpp-server"
        writer.write(
            b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'"
            b" from='alpha.example' to='beta.example' version='1.0'>"
        )
        async with asyncio.timeout(10):
            assert b"starttls" not in await reader.readuntil(b"</stream:features>")
            writer.write(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            assert b"<failure" in await reader.readuntil(b"</stream:stream>")
        writer.close()
