"""Settings of `[federation]`: streams to and from other servers."""

from __future__ import annotations

from parley.base.config.section import Section, setting
from parley.base.config.values import Address, OptionalPath

_MIB = 1024 * 1024


class FederationSettings(Section):
    """Streams to and from other servers. They are there when `xmpp.s2s` or `xmpp.s2s_tls` has an address."""

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
