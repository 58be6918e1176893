from __future__ import annotations

import pytest

from parley.domain.people.blocking import NOBODY, BlockList

FULL, BARE, DOMAIN = "romeo@montague.net/orchard", "romeo@montague.net", "montague.net"


@pytest.mark.parametrize(
    ("blocked", "full", "bare", "domain", "is_covered"),
    [
        (FULL, FULL, BARE, DOMAIN, True),
        (FULL, "romeo@montague.net/balcony", BARE, DOMAIN, False),
        (FULL, BARE, BARE, DOMAIN, False),
        (BARE, FULL, BARE, DOMAIN, True),
        (BARE, BARE, BARE, DOMAIN, True),
        (BARE, "benvolio@montague.net", "benvolio@montague.net", DOMAIN, False),
        ("montague.net/gate", "montague.net/gate", DOMAIN, DOMAIN, True),
        ("montague.net/gate", DOMAIN, DOMAIN, DOMAIN, False),
        (DOMAIN, FULL, BARE, DOMAIN, True),
        (DOMAIN, DOMAIN, DOMAIN, DOMAIN, True),
        (DOMAIN, "montague.net/gate", DOMAIN, DOMAIN, True),
        (DOMAIN, "a@rooms.montague.net", "a@rooms.montague.net", "rooms.montague.net", False),
        ("net", FULL, BARE, DOMAIN, False),
    ],
)
def test_what_an_entry_covers(blocked: str, full: str, bare: str, domain: str, is_covered: bool) -> None:
    assert BlockList([blocked]).covers(full, bare, domain) is is_covered


def test_a_list_keeps_its_order_and_names_nobody_twice() -> None:
    listed = BlockList(["b", "a", "b"])
    assert listed.addresses == ("b", "a")
    assert listed
    assert "a" in listed
    assert not NOBODY
    assert BlockList([FULL]).names_resource_of(BARE)
    assert not BlockList([BARE]).names_resource_of(BARE)
