"""Parley's devices: credentials of their own, the list, signing out."""

from __future__ import annotations

import base64

import pytest

from parley.domain.accounts import Credential
from parley.protocols.xmpp.errors import StreamCondition

from ..harness import Client, Harness

NS = "urn:parley:devices:0"
SALT, STORED, SERVER = b"s" * 16, b"k" * 32, b"v" * 32


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def credential(**changes: str) -> str:
    attrs = {
        "resource": "phone",
        "name": "Alice&apos;s phone",
        "mechanism": "SHA-256",
        "salt": b64(SALT),
        "iterations": "4096",
        "stored-key": b64(STORED),
        "server-key": b64(SERVER),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    written = " ".join(f"{name}='{value}'" for name, value in attrs.items())
    return f"<iq type='set' id='1'><credential xmlns='{NS}' {written}/></iq>"


def ask(kind: str, content: str) -> str:
    return f"<iq type='{kind}' id='1'>{content}</iq>"


RESULT = "<iq type='result' id='1' to='alice@example.org/phone'/>"


async def signed_in(host: Harness, resource: str) -> Client:
    account = await host.host.stores.directory.find("alice@example.org")
    assert account is not None
    await host.storage.devices.seen(account.id, resource, "", "192.0.2.1", host.clock.now_us())
    host.clock.advance(1)
    return await host.connect(f"alice/{resource}")


async def test_a_credential_of_its_own() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await signed_in(host, "phone")
        await phone.ask(credential(), RESULT)
        kept = await host.storage.devices.credential("alice@example.org", "phone")
        assert kept == Credential("SHA-256", SALT, 4096, STORED, SERVER)
        await signed_in(host, "laptop")
        await phone.ask(
            ask("get", f"<devices xmlns='{NS}'/>"),
            f"<iq type='result' id='1' to='alice@example.org/phone'><devices xmlns='{NS}'>"
            "<device resource='laptop' created='2024-01-01T00:00:01Z' last-seen='2024-01-01T00:00:01Z' online='true'"
            " has-credential='false' has-token='false' this='false'/>"
            "<device resource='phone' name=\"Alice's phone\" created='2024-01-01T00:00:00Z'"
            " last-seen='2024-01-01T00:00:00Z' online='true' has-credential='true' has-token='false' this='true'/>"
            "</devices></iq>",
        )


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"resource": "laptop"}, "forbidden"),
        ({"mechanism": "MD5"}, "not-acceptable"),
        ({"iterations": "4095"}, "not-acceptable"),
        ({"iterations": "99999999"}, "not-acceptable"),
        ({"iterations": "many"}, "not-acceptable"),
        ({"salt": b64(b"s" * 15)}, "not-acceptable"),
        ({"salt": b64(b"s" * 65)}, "not-acceptable"),
        ({"salt": "***"}, "bad-request"),
        ({"salt": "é"}, "bad-request"),
        ({"stored_key": b64(b"k" * 20)}, "not-acceptable"),
        ({"server_key": ""}, "not-acceptable"),
        ({"mechanism": "SHA-512"}, "not-acceptable"),
        ({"name": "x" * 101}, "not-acceptable"),
    ],
)
async def test_bad_credentials(changes: dict[str, str], condition: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await signed_in(host, "phone")
        await phone.send(credential(**changes))
        (answer,) = phone.take()
        assert f"<{condition} " in answer
        assert await host.storage.devices.credential("alice@example.org", "phone") is None


async def test_another_device_is_signed_out() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone, laptop = await signed_in(host, "phone"), await signed_in(host, "laptop")
        await laptop.send(credential(resource="laptop"))
        revoke = ask("set", f"<revoke xmlns='{NS}' resource='laptop'/>")
        await phone.ask(revoke, RESULT)
        assert laptop.connection.failure == (StreamCondition.NOT_AUTHORIZED, "signed out")
        assert laptop.session.is_ended
        assert not phone.session.is_ended
        assert await host.storage.devices.credential("alice@example.org", "laptop") is None
        await phone.send(revoke)
        assert "item-not-found" in phone.take()[0]
        await phone.send(ask("set", f"<revoke xmlns='{NS}'/>"))
        assert "bad-request" in phone.take()[0]


async def test_the_answer_comes_before_the_end() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone, laptop = await signed_in(host, "phone"), await signed_in(host, "laptop")
        await phone.ask(ask("set", f"<revoke-all xmlns='{NS}'/>"), RESULT)
        for client in (phone, laptop):
            assert client.connection.failure == (StreamCondition.NOT_AUTHORIZED, "signed out")
            assert client.session.is_ended
        account = await host.host.stores.directory.find("alice@example.org")
        assert account is not None
        assert await host.storage.devices.all(account.id) == []
