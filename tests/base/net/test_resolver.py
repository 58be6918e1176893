"""The resolver against a name server of ours on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.support.dns import NameServer

from parley.base.net.resolver import DnsResolver, NoSuchServiceError, ResolveError, Target

RECORDS = {
    "_xmpp-server._tcp.alpha.example": ["SRV 10 1 5269 plain.alpha.example.", "SRV 30 1 5269 last.alpha.example."],
    "_xmpps-server._tcp.alpha.example": ["SRV 20 1 5270 tls.alpha.example."],
    "_xmpp-server._tcp.closed.example": ["SRV 0 0 0 ."],
    "_xmpps-server._tcp.half.example": ["SRV 0 0 0 ."],
    "_xmpp-server._tcp.half.example": ["SRV 9 1 5269 plain.alpha.example."],
    "_xmpps-server._tcp.none.example": ["SRV 0 0 0 ."],
    "_xmpps-server._tcp.lame.example": ["REFUSED"],
    "_xmpp-server._tcp.lame.example": ["SRV 9 1 5269 plain.alpha.example."],
    "_xmpp-server._tcp.lost.example": ["REFUSED"],
    "_xmpp-server._tcp.many.example": [
        *(f"SRV 50 1 {port} plain.alpha.example." for port in range(6000, 6020)),
        "SRV 10 1 5269 first.alpha.example.",
    ],
    "_xmpp-server._tcp.xn--bcher-kva.example": ["SRV 0 0 5269 books.example."],
    "plain.alpha.example": ["A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1"],
    "empty.example": ["TXT nothing"],
}


@pytest.fixture
def resolver() -> Iterator[DnsResolver]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with NameServer(RECORDS, ("127.0.0.1", port)):
        yield DnsResolver([("127.0.0.1", port)], 5.0, lambda: 0.0)


async def test_both_kinds_of_records_share_their_priorities(resolver: DnsResolver) -> None:
    assert list(await resolver.servers("alpha.example")) == [
        Target("plain.alpha.example", 5269),
        Target("tls.alpha.example", 5270, is_tls=True),
        Target("last.alpha.example", 5269),
    ]


async def test_without_records_the_domain_is_the_host(resolver: DnsResolver) -> None:
    guess = Target("plain.alpha.example", 5269, is_guessed=True)
    assert list(await resolver.servers("plain.alpha.example")) == [guess]


async def test_an_internationalised_domain_is_asked_for_in_its_ascii_form(resolver: DnsResolver) -> None:
    assert list(await resolver.servers("bücher.example")) == [Target("books.example", 5269)]


@pytest.mark.parametrize("literal", ["192.0.2.7", "[2001:db8::7]"])
async def test_an_address_is_its_own_host(resolver: DnsResolver, literal: str) -> None:
    bare = literal.strip("[]")
    assert list(await resolver.servers(literal)) == [Target(bare, 5269, is_guessed=True)]
    assert list(await resolver.addresses(bare)) == [bare]


async def test_a_domain_may_say_that_it_has_no_server(resolver: DnsResolver) -> None:
    with pytest.raises(NoSuchServiceError):
        await resolver.servers("closed.example")


async def test_without_direct_tls_the_other_records_hold_and_never_the_domain_itself(resolver: DnsResolver) -> None:
    # XEP-0368 §4
    assert list(await resolver.servers("half.example")) == [Target("plain.alpha.example", 5269)]
    with pytest.raises(NoSuchServiceError):
        await resolver.servers("none.example")


async def test_one_kind_of_records_is_enough_where_the_other_is_not_answered(resolver: DnsResolver) -> None:
    assert list(await resolver.servers("lame.example")) == [Target("plain.alpha.example", 5269)]
    with pytest.raises(ResolveError) as failure:
        await resolver.servers("lost.example")
    assert failure.value.code == "dns-failed"


async def test_of_many_records_the_first_by_priority_are_tried(resolver: DnsResolver) -> None:
    found = await resolver.servers("many.example")
    assert found[0] == Target("first.alpha.example", 5269)
    assert len(found) == 8


async def test_the_families_of_addresses_take_turns(resolver: DnsResolver) -> None:
    first, *others = await resolver.addresses("plain.alpha.example")
    assert (first, sorted(others)) == ("2001:db8::1", ["192.0.2.1", "192.0.2.2"])


@pytest.mark.parametrize("host", ["unknown.example", "empty.example"])
async def test_a_host_without_addresses(resolver: DnsResolver, host: str) -> None:
    with pytest.raises(NoSuchServiceError):
        await resolver.addresses(host)


async def test_a_name_server_that_says_nothing_is_no_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = DnsResolver([silent.getsockname()], 0.3)
        with pytest.raises(ResolveError) as failure:
            await resolver.servers("alpha.example")
        assert failure.value.code == "dns-failed"
