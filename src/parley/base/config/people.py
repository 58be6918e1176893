"""Settings about people: what each keeps and blocks, whom to turn to, and the relays for their calls."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from parley.base.config.section import Section
from parley.base.config.section import setting as _setting

_MIB = 1024 * 1024

Uri = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>]+$", max_length=2000)]


class PersonalSettings(Section):
    """What an account keeps for itself, and whom it blocks."""

    max_blocked: int = _setting(1000, "Most addresses that one account blocks (XEP-0191).", reload=True, ge=1)
    max_reports: int = _setting(
        1000,
        "Reports of spam and abuse (XEP-0377) kept of one account; its oldest ones are forgotten.",
        reload=True,
        ge=1,
    )
    max_private_elements: int = _setting(
        256, "Most elements in the private storage of one account (XEP-0049).", reload=True, ge=1
    )
    max_private_bytes: int = _setting(
        _MIB, "Size of the private storage of one account.", unit="bytes", reload=True, ge=1024
    )
    max_held_stanzas: int = _setting(
        1000,
        "Stanzas held back for a client that said it is inactive (XEP-0352); with more, all are sent.",
        unit="stanzas",
        reload=True,
        ge=0,
        le=100_000,
    )
    max_held_bytes: int = _setting(
        262144,
        "Size of the stanzas held back for such a client; with more, all are sent.",
        unit="bytes",
        reload=True,
        ge=0,
    )


class ContactSettings(Section):
    """Whom to turn to about this server, told to everybody who asks (XEP-0157). Each entry is a URI, such as
    `"mailto:abuse@example.org"` or `"xmpp:admin@example.org"`."""

    abuse: tuple[Uri, ...] = _setting((), "About abuse that comes from here.")
    admin: tuple[Uri, ...] = _setting((), "The administrators.")
    feedback: tuple[Uri, ...] = _setting((), "For feedback of users.")
    sales: tuple[Uri, ...] = _setting((), "For sales and marketing.")
    security: tuple[Uri, ...] = _setting((), "About security.")
    status: tuple[Uri, ...] = _setting((), "Where the state of the service is shown.")
    support: tuple[Uri, ...] = _setting((), "For help with the service.")
    outage_urls: tuple[Uri, ...] = _setting(
        (),
        "Where clients find out why this server is down and until when (XEP-0455): JSON documents on another machine.",
    )


class TurnSettings(Section):
    """The STUN and TURN server that clients are told of for their calls (XEP-0215). Any that takes time-limited
    credentials will do, such as coturn with `use-auth-secret`."""

    host: str = _setting("", "Its name or IP address; empty: clients are told of none.", pattern=r"^[^\s/]*$")
    port: int = _setting(3478, "Its port for UDP and TCP.", ge=1, le=65535)
    udp: bool = _setting(True, "Whether it is reached there over UDP.")
    tcp: bool = _setting(True, "Whether it is reached there over TCP.")
    tls_port: int = _setting(0, "Its port for TLS over TCP; 0: none.", ge=0, le=65535)
    secret: str = _setting(
        "",
        "The secret that it shares with this server, its `static-auth-secret`; empty: only STUN is offered.",
        reload=True,
    )
    credentials_lifetime_s: int = _setting(
        86400, "How long credentials are valid.", unit="seconds", reload=True, ge=60, le=30 * 86400
    )
