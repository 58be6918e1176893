import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.base.config.values import (
    ListenAddress,
    PortRange,
    parse_domain,
    parse_ip_address,
    parse_listen_address,
    parse_network,
    parse_origin,
    parse_port_range,
    parse_url,
)

ports = st.integers(min_value=0, max_value=65535)


@given(st.ip_addresses(), ports)
def test_listen_addresses_survive_being_written_and_read(address, port):
    given_address = ListenAddress(str(address), port)
    assert parse_listen_address(str(given_address)) == given_address
    assert given_address.is_loopback == address.is_loopback


@pytest.mark.parametrize(
    ("text", "host", "is_loopback"),
    [
        ("127.0.0.1:5222", "127.0.0.1", True),
        ("[::1]:5222", "::1", True),
        ("[0:0:0:0:0:0:0:1]:5222", "::1", True),
        ("localhost:5222", "localhost", True),
        ("0.0.0.0:5222", "0.0.0.0", False),
        ("[::]:5222", "::", False),
        ("[::ffff:192.0.2.1]:5222", "::ffff:c000:201", False),
    ],
)
def test_listen_addresses(text, host, is_loopback):
    address = parse_listen_address(text)
    assert (address.host, address.port, address.is_loopback) == (host, 5222, is_loopback)


@pytest.mark.parametrize(
    "value",
    [
        *("", "5222", ":5222", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1²"),
        *("::1:5222", "[127.0.0.1]:5222", "[::1]", "chat.example.org:5222", "127.0.0.1:5222 ", "[::1:5222"),
        *(5222, None, True),
    ],
)
def test_other_listen_addresses_are_refused(value):
    with pytest.raises(ValueError, match=r"expected|address|port"):
        parse_listen_address(value)


def test_port_ranges():
    assert parse_port_range("20000-20999") == PortRange(20000, 20999)
    assert str(parse_port_range("5-5")) == "5-5"


@pytest.mark.parametrize("value", ["", "20000", "0-5", "6-5", "1-65536", "a-b", "1-2-3", "-1-5", 5])
def test_other_port_ranges_are_refused(value):
    with pytest.raises(ValueError, match="ports"):
        parse_port_range(value)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.org", "example.org"),
        ("Example.ORG.", "example.org"),
        ("localhost", "localhost"),
        ("xn--bcher-kva.example", "bücher.example"),
        ("BÜCHER.example", "bücher.example"),
    ],
)
def test_domains_have_one_spelling(text, domain):
    assert parse_domain(text) == domain
    assert parse_domain(domain) == domain


@pytest.mark.parametrize("value", ["", ".", "a b", "a..b", "-a.example", "a/b", "alice@example.org", "a" * 64, 5])
def test_other_domains_are_refused(value):
    with pytest.raises(ValueError, match="domain name"):
        parse_domain(value)


def test_addresses_and_networks():
    assert parse_ip_address("0:0:0:0:0:0:0:1") == "::1"
    assert parse_network("10.0.0.0/8") == ipaddress.ip_network("10.0.0.0/8")
    assert parse_network("192.0.2.1") == ipaddress.ip_network("192.0.2.1/32")
    for parse in (parse_ip_address, parse_network):
        with pytest.raises(ValueError, match=r"nor a network|not an IP"):
            parse("10.0.0.1/8")


def test_urls_lose_their_final_slash():
    assert parse_url("https://chat.example.org:8443/base/") == "https://chat.example.org:8443/base"


@pytest.mark.parametrize(
    "value", ["", "chat.example.org", "ftp://a.example", "http://", "http://a/?b", "http://u@a/", 5]
)
def test_other_urls_are_refused(value):
    with pytest.raises(ValueError, match="expected"):
        parse_url(value)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("https://Chat.example.org", "https://chat.example.org"),
        ("https://chat.example.org:443/", "https://chat.example.org"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_origins_have_one_spelling(text, origin):
    assert parse_origin(text) == origin
    assert parse_origin(origin) == origin


@pytest.mark.parametrize("value", ["", "null", "chat.example.org", "https://a.example/app", "https://*.example", 5])
def test_other_origins_are_refused(value):
    with pytest.raises(ValueError, match=r"expected|no path"):
        parse_origin(value)
