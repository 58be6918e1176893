"""Who is believed about whom."""

import ipaddress

import pytest

from parley.protocols.http.forwarding import client_of, is_among

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


def test_membership():
    assert is_among("::ffff:10.0.0.1", TRUSTED)
    assert is_among("fd00::1%eth0", TRUSTED)
    assert not is_among("192.0.2.1", TRUSTED)
    assert not is_among("no address", TRUSTED)
