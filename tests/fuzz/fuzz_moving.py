"""Fuzz target: files of other servers are read, or refused with a message for the operator."""

import contextlib
import tempfile
from pathlib import Path

from parley.app.errors import Unwilling
from parley.app.moving.lua_tables import read_list, read_table
from parley.app.moving.prosody import read_prosody
from parley.app.moving.reading import read_portable

SEEDS = [
    b"<server-data xmlns='urn:xmpp:pie:0'><host jid='a.example'><user name='j' password='s'>"
    b"<query xmlns='jabber:iq:roster'><item jid='r@m.example' subscription='both'/></query>"
    b"<offline-messages><message xmlns='jabber:client' from='r@m.example'><body>x</body>"
    b"<delay xmlns='urn:xmpp:delay' stamp='2020-07-21T00:32:29Z'/></message></offline-messages>"
    b"<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'><iter-count>4096</iter-count>"
    b"<salt>c2FsdA==</salt></scram-credentials></user></host></server-data>",
    b"<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'>"
    b"<xi:include href='../x.xml'/></server-data>",
    b'return { ["salt"] = "\\195\\188"; [false] = { ["pending"] = { ["a@b"] = true } }; "x", 1.5 };',
    b'item({ ["name"] = "message"; ["attr"] = { ["from"] = "a@b" }; { ["name"] = "body"; "x" }; });',
]


def target(data: bytes) -> None:
    """`data` as a file of XEP-0227, as each of Prosody's kinds, and as what its files hold for an account."""
    for read in (read_table, read_list):
        with contextlib.suppress(Unwilling):
            read(data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x.xml").write_bytes(data)
        with contextlib.suppress(Unwilling):
            list(read_portable(folder / "x.xml"))
        for store, kind in (
            ("accounts", "dat"),
            ("roster", "dat"),
            ("vcard", "dat"),
            ("pep", "dat"),
            ("offline", "list"),
        ):
            (folder / "a%2eexample" / store).mkdir(parents=True)
            (folder / "a%2eexample" / store / f"j.{kind}").write_bytes(data)
        list(read_prosody(folder))


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
