"""Scenes with another server as a partner; see `federation_stage.py` for where, `federation_theatre.py` for how."""

from __future__ import annotations

import asyncio
import signal
import urllib.request
from collections.abc import Awaitable, Callable
from xml.etree import ElementTree as ET

from tests.peers.federation_stage import (
    ALPHA,
    BETA,
    EXPIRED,
    MISNAMED,
    UNSIGNED,
    VOUCHED,
    Stage,
    client,
)
from tests.support.limits import until
from tests.support.slix import SlixClient

Scene = Callable[[Stage], Awaitable[None]]


async def talk(one: SlixClient, other: SlixClient, word: str = "hello") -> None:
    """One message each way."""
    for speaker, listener in ((one, other), (other, one)):
        text = f"{word} from {speaker.boundjid.domain}"
        speaker.send_message(listener.boundjid.bare, text, mtype="chat")
        await listener.receive_body(text)


async def insist(speaker: SlixClient, listener: SlixClient, text: str) -> None:
    """Say it until it arrives: what the partner sends on a connection that is breaking may be lost there."""
    async with asyncio.timeout(30):
        while text not in listener.bodies:
            speaker.send_message(listener.boundjid.bare, text, mtype="chat")
            await asyncio.sleep(0.5)


async def messages(on: Stage) -> None:
    """Both ways, and a request in each."""
    alice, bob = on.pair()
    async with on.signed_in(alice, bob):
        await talk(alice, bob)
        for one, other in ((alice, bob), (bob, alice)):
            answer = await one.plugin["xep_0092"].get_version(other.boundjid)
            assert answer["type"] == "result", answer
            answer = await one.plugin["xep_0199"].send_ping(other.boundjid.domain)
            assert answer["type"] == "result", answer


async def beta_first(on: Stage) -> None:
    """The partner opens the stream: the first scene, there is none yet."""
    alice, bob = on.pair()
    async with on.signed_in(alice, bob):
        await talk(bob, alice)


async def presence(on: Stage) -> None:
    """Subscriptions both ways, then who is there and who is not any more."""
    alice, bob = on.pair()
    async with on.signed_in(alice, bob):
        for each in (alice, bob):
            each.auto_authorize = each.auto_subscribe = True
        alice.send_presence_subscription(pto=bob.boundjid.bare)
        for one, other in ((alice, bob), (bob, alice)):
            await until(lambda a=one, b=other: a.client_roster[b.boundjid.bare]["subscription"] == "both")
            await until(
                lambda a=one, b=other: any(p["from"] == b.boundjid and p["type"] == "available" for p in a.presences)
            )
        bob.send_presence(pshow="dnd", pstatus="busy")
        await until(lambda: any(p["status"] == "busy" for p in alice.presences))
        second = client(alice.person, "two")
        await on.sign_in(second)
        await until(lambda: any(p["from"] == bob.boundjid for p in second.presences))
        await until(lambda: any(p["from"] == second.boundjid for p in bob.presences))
        await second.leave()
        await until(lambda: any(p["from"] == second.boundjid and p["type"] == "unavailable" for p in bob.presences))
        alice.del_roster_item(bob.boundjid.bare)
        await until(lambda: bob.client_roster[alice.boundjid.bare]["subscription"] == "none")


async def carbons(on: Stage) -> None:
    """The other devices of both get copies."""
    alice, bob = on.pair()
    alice2, bob2 = client(alice.person, "two"), client(bob.person, "two")
    copies: dict[str, list[str]] = {"alice": [], "bob": []}
    async with on.signed_in(alice, alice2, bob, bob2):
        for name, each in (("alice", alice2), ("bob", bob2)):
            for kind in ("carbon_received", "carbon_sent"):
                each.add_event_handler(kind, lambda m, n=name, k=kind: copies[n].append(f"{k} {m[k]['body']}"))
            await each.plugin["xep_0280"].enable()
        alice.send_message(bob.boundjid.full, "to one device", mtype="chat")
        await bob.receive_body("to one device")
        bob.send_message(alice.boundjid.full, "and back", mtype="chat")
        await alice.receive_body("and back")
        for name, words in (("alice", ("sent", "received")), ("bob", ("received", "sent"))):
            expected = [f"carbon_{words[0]} to one device", f"carbon_{words[1]} and back"]
            await until(lambda n=name, e=expected: copies[n] == e)


async def files(on: Stage) -> None:
    """Each puts a file where its own server says, and the other fetches it by the link."""
    alice, bob = on.pair()
    async with on.signed_in(alice, bob):
        for sender, receiver in ((alice, bob), (bob, alice)):
            content = f"from {sender.boundjid.bare}".encode() * 100
            slot = await sender.upload_slot("notes.txt", len(content), "text/plain")
            headers = {**slot.headers, "Content-Type": "text/plain"}
            put = urllib.request.Request(slot.put, content, headers, method="PUT")
            assert await asyncio.to_thread(lambda it=put: urllib.request.urlopen(it).status) in (200, 201)
            message = sender.make_message(receiver.boundjid.bare, slot.get, mtype="chat")
            link = ET.SubElement(message.xml, "{jabber:x:oob}x")
            ET.SubElement(link, "{jabber:x:oob}url").text = slot.get
            message.send()
            arrived = await receiver.receive_body(slot.get)
            url = arrived.xml.findtext("{jabber:x:oob}x/{jabber:x:oob}url")
            assert url == slot.get, arrived
            assert await asyncio.to_thread(lambda it=url: urllib.request.urlopen(it).read()) == content


async def rooms(on: Stage) -> None:
    """Each in a room of the other server, both speaking."""
    alice, bob = on.pair()
    for each in (alice, bob):
        each.register_plugin("xep_0045")
    async with on.signed_in(alice, bob):
        for domain, first, second in ((ALPHA, alice, bob), (BETA, bob, alice)):
            room = f"talk@conference.{domain}"
            await first.plugin["xep_0045"].join_muc_wait(room, "host", timeout=20)
            await first.plugin["xep_0045"].set_room_config(room, await first.plugin["xep_0045"].get_room_config(room))
            await second.plugin["xep_0045"].join_muc_wait(room, "guest", timeout=20)
            first.send_message(room, f"welcome to {domain}", mtype="groupchat")
            second.send_message(room, f"glad to be at {domain}", mtype="groupchat")
            for each in (first, second):
                await each.receive_body(f"welcome to {domain}")
                await each.receive_body(f"glad to be at {domain}")
            second.plugin["xep_0045"].leave_muc(room, "guest")
            await until(lambda c=first, r=room: "guest" not in c.plugin["xep_0045"].get_roster(r))


async def cut(on: Stage) -> None:
    """The connections break in the middle, again and again: nothing that our server accepted is lost."""
    alice, bob = on.pair()
    async with on.signed_in(alice, bob):
        await talk(alice, bob)
        expected = [f"word {number}" for number in range(60)]
        for number, text in enumerate(expected):
            alice.send_message(bob.boundjid.bare, text, mtype="chat")
            if number % 20 == 10:
                await bob.receive_body(f"word {number - 10}")
                on.cut()
        for text in expected:
            await bob.receive_body(text)
        arrived = list(dict.fromkeys(text for text in bob.bodies if text.startswith("word")))
        assert arrived == expected, arrived
        await insist(bob, alice, "still here")


async def away(on: Stage) -> None:
    """The partner is killed and comes back: nothing that was accepted meanwhile is lost."""
    alice, bob = on.pair()
    async with on.signed_in(alice):
        await on.sign_in(bob)
        await talk(alice, bob)
        on.partner.stop(signal.SIGKILL)
        expected = [f"while away {number}" for number in range(20)]
        for text in expected:
            alice.send_message(bob.boundjid.bare, text, mtype="chat")
        # Until they are committed; then our own server ends as well.
        await alice.plugin["xep_0199"].send_ping(ALPHA)
        on.parley.kill()
        on.partner.start()
        on.parley.start()
        again = client(bob.person, "again")
        async with on.signed_in(again):
            for text in expected:
                await again.receive_body(text)
            texts = [text for text in again.bodies if text.startswith("while away")]
            assert texts == expected, texts


async def refused(on: Stage, domain: str, code: str) -> None:
    """Neither side takes the other; who sends is told."""
    alice, bob = on.pair(domain)
    logged = len(on.parley.log.read_text())
    async with on.signed_in(alice, bob):
        alice.send_message(bob.boundjid.bare, "out", mtype="chat")
        error = await alice.receive(lambda message: message["type"] == "error")
        assert error["error"]["condition"] == "remote-server-timeout", error
        await until(lambda: code in on.parley.log.read_text()[logged:])
        bob.send_message(alice.boundjid.bare, "in", mtype="chat")
        await bob.receive(lambda message: message["type"] == "error")
        assert not alice.bodies, alice.bodies
    # Any change of an agreement has certificates asked for again that were refused.
    on.agree("add", f"not-{domain}")


async def expired(on: Stage) -> None:
    """The partner's certificate is out of date."""
    await refused(on, EXPIRED, "certificate-untrusted")


async def wrong_name(on: Stage) -> None:
    """The partner's certificate is another domain's."""
    await refused(on, MISNAMED, "certificate-wrong-name")


async def unknown_authority(on: Stage) -> None:
    """Nobody here knows who signed the partner's certificate."""
    await refused(on, UNSIGNED, "certificate-untrusted")


async def dialback(on: Stage) -> None:
    """Where it is agreed, the name system vouches for a partner with a certificate of its own making."""
    on.agree("add", VOUCHED, "--dialback")
    alice, bob = on.pair(VOUCHED)
    async with on.signed_in(alice, bob):
        alice.send_message(bob.boundjid.bare, "out", mtype="chat")
        await bob.receive_body("out")
        # The first handshake fails for the certificate; after it none is asked for.
        await insist(bob, alice, "in")
    on.agree("revoke", VOUCHED)


async def revoked(on: Stage) -> None:
    """An agreement ends while there is a stream: it is cut, and who writes is told, on both sides."""
    alice, bob = on.pair()
    on.agree("add", BETA)
    async with on.signed_in(alice, bob):
        await talk(alice, bob)
        on.agree("revoke", BETA)
        alice.send_message(bob.boundjid.bare, "out", mtype="chat")
        error = await alice.receive(lambda message: message["type"] == "error")
        assert error["error"]["condition"] == "not-allowed", error
        bob.send_message(alice.boundjid.bare, "in", mtype="chat")
        await bob.receive(lambda message: message["type"] == "error")
        assert "in" not in alice.bodies, alice.bodies
        on.agree("add", BETA)
        await insist(alice, bob, "out again")
        await insist(bob, alice, "in again")


async def push(on: Stage) -> None:
    """The partner asks our push service to wake a device of one of its people, who are away."""
    alice, bob = on.pair()
    async with on.signed_in(alice, bob):
        registered = await _command(bob, f"push.{ALPHA}", "register-push-fcm", {"token": "t", "device-id": "phone"})
        options = {"FORM_TYPE": "http://jabber.org/protocol/pubsub#publish-options", "secret": registered["secret"]}
        enable = bob.make_iq_set(ito=bob.boundjid.bare)
        attrs = {"jid": registered["jid"], "node": registered["node"]}
        _fill_in(ET.SubElement(enable.xml, "{urn:xmpp:push:0}enable", attrs), options)
        assert (await enable.send(timeout=20))["type"] == "result"
        await bob.leave()
        alice.send_message(bob.boundjid.bare, "not for the push service", mtype="chat")
        woken = "a device is to be woken"
        await until(lambda: any(woken in line and bob.boundjid.bare in line for line in _log_of(on)))
        assert not any(woken in line and "not for the push" in line for line in _log_of(on))


async def _command(who: SlixClient, to: str, node: str, fields: dict[str, str]) -> dict[str, str]:
    """Have a command executed with its form at once; the fields of the form that comes back."""
    request = who.make_iq_set(ito=to)
    attrs = {"node": node, "action": "execute"}
    _fill_in(ET.SubElement(request.xml, "{http://jabber.org/protocol/commands}command", attrs), fields)
    answer = await request.send(timeout=20)
    found = answer.xml.iter("{jabber:x:data}field")
    return {field.get("var", ""): field.findtext("{jabber:x:data}value") or "" for field in found}


def _fill_in(parent: ET.Element, fields: dict[str, str]) -> None:
    form = ET.SubElement(parent, "{jabber:x:data}x", {"type": "submit"})
    for var, value in fields.items():
        ET.SubElement(ET.SubElement(form, "{jabber:x:data}field", {"var": var}), "{jabber:x:data}value").text = value


def _log_of(on: Stage) -> list[str]:
    return on.parley.log.read_text(errors="replace").splitlines()


async def no_such_domain(on: Stage) -> None:
    """A domain that does not exist is told at once."""
    alice = client(on.alice())
    async with on.signed_in(alice):
        alice.send_message("bob@nowhere.example", "hello", mtype="chat")
        error = await alice.receive(lambda message: message["type"] == "error")
        assert error["error"]["condition"] == "remote-server-not-found", error


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        beta_first,
        messages,
        presence,
        carbons,
        files,
        rooms,
        cut,
        away,
        expired,
        wrong_name,
        unknown_authority,
        dialback,
        revoked,
        push,
        no_such_domain,
    )
}
