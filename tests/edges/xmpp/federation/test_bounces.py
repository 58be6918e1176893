"""Which error a sender gets, by what went wrong on the way to the partner (RFC 6120 §8.3.3, §10.4; XEP-0220 §2.1.1)."""

from __future__ import annotations

from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.edges.xmpp.federation.net import Names, Server, free_port, one, two_servers, until
from tests.support.certificates import Authority

from parley.base.net.resolver import Target
from parley.edges.xmpp.federation.errors import Unreachable
from parley.protocols.xmpp.errors import StanzaCondition, StanzaErrorType

PING = "<iq to='{}' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
HI = "<message to='bob@{}' type='chat' id='m'><body>hi</body></message>"


async def test_nobody_at_an_address_without_records_is_no_server(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, _beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        alpha.names.targets["gamma.example"] = [Target("localhost", free_port(), is_guessed=True)]
        await alice.send(PING.format("gamma.example"))
        assert "<remote-server-not-found" in await one(alice, 'type="error"')
        # A record promised one: that it does not answer may pass.
        alpha.names.targets["delta.example"] = [Target("localhost", free_port())]
        await alice.send(PING.format("delta.example"))
        error = await one(alice, 'type="error"')
        assert "<remote-server-timeout" in error
        assert 'type="wait"' in error


async def test_a_server_that_does_not_know_the_domain_is_not_its_server(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        alpha.names.targets["gamma.example"] = [beta.target]
        await alice.send(HI.format("gamma.example"))
        assert "<remote-server-not-found" in await one(alice, 'type="error"')
        await alpha.delivered()


async def test_a_key_that_our_own_domain_calls_bogus_is_an_error_of_ours(tmp_path: Path) -> None:
    names, authority = Names(), Authority(tmp_path)
    # Clients' use of it is forbidden, so that only dialback is left.
    files = authority.sign("alpha.example", usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
    async with (
        Server("alpha.example", names, authority, files) as alpha,
        Server("beta.example", names, authority, authority.sign("beta.example")) as beta,
        Server("alpha.example", names, authority, files) as other,
    ):
        # DNS names a server of the domain that has another secret.
        other.federation._secret = b"another"
        other.federation.configure()
        await alpha.add("alice@alpha.example")
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await alice.send(HI.format("beta.example"))
        await until(lambda: alpha.federation.links.of("beta.example")[0].is_resting)
        alpha.tick(60)
        error = await one(alice, 'type="error"')
        assert "<internal-server-error" in error
        assert 'id="m"' in error
        assert beta.metrics.value("parley_refused_total", code="dialback-failed") == 1
        await alpha.delivered()


def test_what_dialback_says_when_nobody_could_be_asked() -> None:
    # XEP-0220 §2.5
    said = {
        code: Unreachable(code, "").told_by_dialback()
        for code in ("dns-no-service", "connection-failed", "certificate-wrong-name", "stream-failed", "timeout")
    }
    assert said == {
        "dns-no-service": "remote-connection-failed",
        "connection-failed": "remote-connection-failed",
        "certificate-wrong-name": "not-authorized",
        "stream-failed": "remote-server-timeout",
        "timeout": "remote-server-timeout",
    }
    unknown = Unreachable("host-unknown", "", StanzaCondition.REMOTE_SERVER_NOT_FOUND)
    assert unknown.told_by_dialback() == "remote-server-not-found"


def test_what_lasts_is_not_to_be_waited_for() -> None:
    # RFC 6120 §8.3.3.17
    assert Unreachable("timeout", "").told().type is StanzaErrorType.WAIT
    assert Unreachable("certificate-untrusted", "", is_final=True).told().type is StanzaErrorType.CANCEL
