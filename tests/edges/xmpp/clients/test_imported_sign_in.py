"""Accounts that moved here sign in by what their old server kept of their password."""

from __future__ import annotations

import base64

import pytest

from parley.identity.sign_in import credentials_for

from ..wires import HEADER, PASSWORD, Edge, an_edge


async def moved(edge: Edge, mechanism: str) -> None:
    credentials = credentials_for(PASSWORD, 4096, bytes, (mechanism,))
    await edge.storage.accounts.add("dave@example.org", credentials, 1)


def plain(password: str) -> str:
    token = base64.b64encode(f"\0dave\0{password}".encode()).decode()
    return f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>"


@pytest.mark.parametrize("mechanism", ["SHA-1", "SHA-256", "SHA-512"])
async def test_a_password_in_clear_is_checked_by_any_hash(mechanism: str) -> None:
    async with an_edge() as edge:
        await moved(edge, mechanism)
        wire = edge.open()
        await edge.say(wire, HEADER)
        assert "<not-authorized/>" in await edge.ask(wire, plain("wrong"), "</failure>")
        await edge.ask(wire, plain(PASSWORD), "<success")


async def test_only_the_hashes_of_the_settings_are_offered() -> None:
    async with an_edge(login={"hashes": ["SHA-1"], "scram_iterations": 4096}) as edge:
        features = await edge.say(edge.open(), HEADER)
        mechanisms = features.partition("<mechanisms")[2].partition("</mechanisms>")[0]
        assert "SCRAM-SHA-1-PLUS" in mechanisms
        assert "<mechanism>PLAIN" in mechanisms
        assert "SHA-256" not in mechanisms
        assert "SHA-512" not in mechanisms
