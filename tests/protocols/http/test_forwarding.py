"""Who is believed about whom."""

import ipaddress

import pytest

from parley.protocols.http.forwarding import client_of, is_among, is_protected

TRUSTED = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.9, 192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.9,192.0.2.1,\t10.1.2.3", "192.0.2.1"),
        ("127.0.0.1", "10.0.0.9, 10.1.2.3", "10.0.0.9"),
        ("::ffff:127.0.0.1", "2001:DB8::1", "2001:db8::1"),
        ("fd00::1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1, unknown", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, unknown, 10.0.0.1", "10.0.0.1"),
        ("192.0.2.7", "198.51.100.9", "192.0.2.7"),
        ("", "198.51.100.9", ""),
    ],
)
def test_client_behind_proxies(peer, forwarded, client):
    assert client_of(peer, forwarded, TRUSTED) == client


def test_nobody_is_believed_by_default():
    assert client_of("127.0.0.1", "192.0.2.1", ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("scheme", "peer", "proto", "protected"),
    [
        ("https", "192.0.2.1", None, True),
        ("wss", "192.0.2.1", "http", True),
        ("ws", "192.0.2.1", None, False),
        ("ws", "192.0.2.1", "https", False),
        ("http", "no address", None, False),
        ("ws", "10.1.2.3", None, True),
        ("ws", "10.1.2.3", "", True),
        ("ws", "10.1.2.3", " HTTPS", True),
        ("ws", "10.1.2.3", "https, http", True),
        ("ws", "10.1.2.3", "http", False),
        ("ws", "10.1.2.3", "http, https", False),
        ("ws", "127.0.0.1", "http", False),
        ("ws", "::1", "http", True),
        ("ws", "::1", None, True),
    ],
)
def test_who_could_read_along(scheme, peer, proto, protected):
    assert is_protected(scheme, peer, proto, TRUSTED) is protected


@pytest.mark.parametrize(
    ("peer", "protected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::ffff:127.0.0.1", True), ("::ffff:10.1.2.3", False)],
)
def test_this_machine_needs_no_proxy(peer, protected):
    assert is_protected("http", peer, "https", ()) is protected


def test_membership():
    assert is_among("::ffff:10.0.0.1", TRUSTED)
    assert is_among("fd00::1%eth0", TRUSTED)
    assert not is_among("192.0.2.1", TRUSTED)
    assert not is_among("no address", TRUSTED)
