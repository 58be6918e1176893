"""Settings of `[federation]`: streams to and from other servers."""

from __future__ import annotations

from typing import Literal

from parley.base.config.section import Section, setting
from parley.base.config.values import Address, OptionalPath

_MIB = 1024 * 1024


class FederationSettings(Section):
    """Streams to and from other servers. They are there when `xmpp.s2s` or `xmpp.s2s_tls` has an address."""

    mode: Literal["closed", "agreement", "open"] = setting(
        "open",
        "Which servers to talk with: none; partners with whom an agreement is in force (`parley partner`); or all, but"
        " for those that an agreement shuts out. Agreements hold in open federation too.",
        reload=True,
    )
    dialback: bool = setting(
        False,
        "Whether the domain name system may vouch for servers without an agreement whose certificate does not"
        " (XEP-0220); an agreement says so for its own partner.",
        reload=True,
    )
    ca_file: OptionalPath = setting(
        "", "PEM file with authorities to trust beside the machine's own, for a private one.", reload=True
    )
    nameservers: tuple[Address, ...] = setting(
        (), "Name servers to ask, such as `192.0.2.53:53`; empty for those that the machine is configured for."
    )
    dns_timeout_s: int = setting(5, "Time for one question to the name servers.", unit="seconds", ge=1, le=60)
    connect_timeout_s: int = setting(
        15, "Time for a TCP connection to one of a partner's hosts.", unit="seconds", reload=True, ge=1, le=120
    )
    negotiate_timeout_s: int = setting(
        30,
        "Time from a connection to a stream that both ends take for authentic.",
        unit="seconds",
        reload=True,
        ge=1,
        le=600,
    )
    retry_min_s: int = setting(
        5,
        "Wait after a partner could not be reached; it doubles with every failure. Chance makes it up to a half"
        " shorter.",
        unit="seconds",
        reload=True,
        ge=1,
        le=3600,
    )
    retry_max_s: int = setting(600, "Longest wait between two tries.", unit="seconds", reload=True, ge=1, le=86400)
    idle_before_ping_s: int = setting(
        60, "Silence after which a partner is asked for a sign of life.", unit="seconds", reload=True, ge=5, le=3600
    )
    ping_timeout_s: int = setting(
        30,
        "Time for that sign to arrive, and for stanzas to be acknowledged; then the connection is given up.",
        unit="seconds",
        reload=True,
        ge=1,
        le=600,
    )
    idle_close_s: int = setting(
        1800,
        "A connection that no stanza has used for so long is closed; 0 keeps it.",
        unit="seconds",
        reload=True,
        ge=0,
        le=86400,
    )
    resume_s: int = setting(
        60,
        "How long a stream whose connection broke can be resumed (XEP-0198), so that nothing is lost and nothing comes"
        " twice; 0 for never.",
        unit="seconds",
        reload=True,
        ge=0,
        le=3600,
    )
    max_connections: int = setting(1000, "Most connections from other servers at a time.", reload=True, ge=1)
    max_connections_per_address: int = setting(
        20, "Most connections at a time from one IP address of other servers.", reload=True, ge=1
    )
    max_links: int = setting(
        2000, "Most partners that stanzas may be on their way to at a time.", reload=True, ge=1, le=1_000_000
    )
    max_stanza_bytes: int = setting(
        524288, "Largest stanza of a partner.", unit="bytes", reload=True, ge=10000, le=16 * _MIB
    )
    max_waiting_stanzas: int = setting(
        5000, "Most stanzas that wait for one partner in memory; more are refused.", reload=True, ge=10, le=1_000_000
    )
    max_waiting_bytes: int = setting(
        8 * _MIB, "What may wait for one partner in memory.", unit="bytes", reload=True, ge=_MIB
    )
    bytes_per_s: int = setting(
        1_048_576,
        "What one connection of a partner may send for long; above it the server reads more slowly.",
        unit="bytes per second",
        reload=True,
        ge=1024,
    )
    burst_bytes: int = setting(
        4 * _MIB,
        "What one connection of a partner may send at once before `bytes_per_s` holds.",
        unit="bytes",
        reload=True,
        ge=16384,
    )
    partner_stanzas_per_s: int = setting(
        200,
        "Stanzas that one partner may send for long; above it all its connections are read more slowly. An agreement"
        " may say otherwise, as for the three settings behind it.",
        unit="stanzas per second",
        reload=True,
        ge=1,
    )
    partner_burst_stanzas: int = setting(
        2000, "Stanzas that one partner may send at once before that holds.", unit="stanzas", reload=True, ge=1
    )
    partner_bytes_per_s: int = setting(
        524288, "What one partner may send for long.", unit="bytes per second", reload=True, ge=1024
    )
    partner_burst_bytes: int = setting(
        4 * _MIB, "What one partner may send at once before that holds.", unit="bytes", reload=True, ge=16384
    )
    flood_after_s: int = setting(
        60,
        "A partner that has more to send than it may for so long on end is cut off.",
        unit="seconds",
        reload=True,
        ge=1,
        le=86400,
    )
    cut_min_s: int = setting(
        30,
        "How long it is cut off for the first time; each further time twice as long.",
        unit="seconds",
        reload=True,
        ge=1,
        le=86400,
    )
    cut_max_s: int = setting(3600, "How long it is cut off at most.", unit="seconds", reload=True, ge=1, le=30 * 86400)
    forgive_after_s: int = setting(
        3600,
        "After so long without a cut, one of a partner's cuts is forgotten.",
        unit="seconds",
        reload=True,
        ge=1,
        le=30 * 86400,
    )
    queue_lifetime_s: int = setting(
        86400,
        "How long a message waits on the disk for a partner that cannot be reached; then it goes back to its sender.",
        unit="seconds",
        reload=True,
        ge=1,
        le=30 * 86400,
    )
    queue_max_stanzas: int = setting(
        20_000, "Most messages that wait on the disk for one partner; more are refused.", reload=True, ge=1
    )
    queue_max_bytes: int = setting(
        64 * _MIB,
        "What may wait on the disk for one partner; more is refused.",
        unit="bytes",
        reload=True,
        ge=_MIB,
    )
    strangers_per_account_per_hour: int = setting(
        20,
        "Strangers whose first message or request reaches one account. A stranger is somebody of another server whom"
        " the account neither has as a contact nor wrote to; people here are none. Half as many at once, as for the two"
        " settings behind it.",
        unit="per hour",
        reload=True,
        ge=2,
    )
    strangers_per_partner_per_hour: int = setting(
        240, "Strangers of one partner, to all accounts together.", unit="per hour", reload=True, ge=2
    )
    stranger_messages_per_hour: int = setting(
        240, "Messages that one stranger may send to one account before it answers.", unit="per hour", reload=True, ge=2
    )
