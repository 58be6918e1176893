"""A server that sends as much as it can: `python -m bench.flood_sender PORT FROM TO CERTIFICATE KEY CA`.

It comes back whenever it is cut off, until it is killed. It is a program of its own so that it takes no time from who
measures.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time

STREAMS = "http://etherx.jabber.org/streams"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
RETRY_S = 0.05
BATCH = 200


def tls_context(certificate: str, key: str, ca_file: str) -> ssl.SSLContext:
    """What another server shows and trusts."""
    context = ssl.create_default_context(cafile=ca_file)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["xmpp-server"])
    return context


def header(sender: str, to: str) -> bytes:
    """The opening of a stream between servers."""
    return (
        f"<?xml version='1.0'?><stream:stream from='{sender}' to='{to}' version='1.0' xmlns='jabber:server'"
        f" xmlns:stream='{STREAMS}'>"
    ).encode()


AUTH = f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>".encode()


def message(sender: str, to: str, body: str) -> bytes:
    """A chat message of 200 bytes or a little more."""
    text = f"<message from='{sender}' to='{to}' type='chat' id='m'><body>{body}"
    return (text + "x" * max(200 - len(text) - 17, 0) + "</body></message>").encode()


def flood(port: int, sender: str, to: str, context: ssl.SSLContext) -> None:
    """One connection, until it is cut."""
    domain = to.partition("@")[2]
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        plain.settimeout(None)
        with context.wrap_socket(plain, server_hostname=domain) as connection:
            connection.sendall(header(sender, domain))
            _until(connection, b"</stream:features>")
            connection.sendall(AUTH)
            _until(connection, b"<success")
            connection.sendall(header(sender, domain))
            _until(connection, b"stream:features")
            batch = message(f"flood@{sender}", to, "") * BATCH
            while True:
                connection.sendall(batch)


def _until(connection: ssl.SSLSocket, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(seen[-500:])
        seen += data


def main(arguments: list[str]) -> None:
    """Flood until killed."""
    port, sender, to, certificate, key, ca_file = arguments
    context = tls_context(certificate, key, ca_file)
    while True:
        try:
            flood(int(port), sender, to, context)
        except OSError as error:
            print(error, flush=True)
        time.sleep(RETRY_S)


if __name__ == "__main__":
    main(sys.argv[1:])
