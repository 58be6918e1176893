"""Fuzz target: an address is refused by JIDError or has a normal form that is its own."""

from parley.protocols.xmpp.errors import JIDError
from parley.protocols.xmpp.jid import JID, MAX_PART_BYTES

SEEDS = [
    b"alice@example.org/phone",
    "Fußball@BÜCHER.example/♚".encode(),
    b"a@xn--bcher-kva.example",
    b"a@[::1]/x",
    "\u0627\u0628@x\u3002y/\u00a0".encode(),
]


def target(data: bytes) -> None:
    """Parse `data` as UTF-8."""
    try:
        jid = JID.parse(data.decode(errors="surrogateescape"))
    except JIDError:
        return
    again = JID.parse(str(jid))
    assert (again.local, again.domain, again.resource) == (jid.local, jid.domain, jid.resource)
    assert all(len(part.encode()) <= MAX_PART_BYTES for part in (jid.local, jid.domain, jid.resource))
    assert jid.bare == JID.parse(str(jid.bare))


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
