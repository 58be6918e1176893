"""Every setting of `parley.toml`: one class per section, one field per setting.

A field's description is a sentence for the operator; together with unit, default and bounds it becomes the reference
page. `reload=True` marks what SIGHUP applies to a running server; all else takes effect at the next start.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from parley.base.config.admission import ComponentSettings, InvitationSettings
from parley.base.config.federation import FederationSettings
from parley.base.config.nodes import PepSettings, PubsubSettings
from parley.base.config.people import ContactSettings, PersonalSettings, TurnSettings
from parley.base.config.push import PushSettings
from parley.base.config.rooms import RoomSettings
from parley.base.config.section import Section
from parley.base.config.section import setting as _setting
from parley.base.config.values import (
    AccountAddress,
    Address,
    AllowedNetwork,
    Domain,
    FilePath,
    IpAddress,
    Label,
    ListenAddress,
    OptionalPath,
    Origin,
    Ports,
    Url,
    parse_listen_address,
    parse_network,
    parse_port_range,
)

_MIB = 1024 * 1024


class HttpSettings(Section):
    """Web app, WebSockets, uploads, health and metrics."""

    listen: tuple[Address, ...] = _setting(
        (parse_listen_address("127.0.0.1:8080"),), "Where to serve plain HTTP, for this machine or a reverse proxy."
    )
    listen_tls: tuple[Address, ...] = _setting((), "Where to serve HTTPS with the certificate of `[tls]`.")
    public_url: Url = _setting(
        "http://localhost:8080",
        "The address under which browsers and clients reach this server; upload and download links start with it.",
    )
    allowed_origins: tuple[Origin, ...] = _setting(
        (),
        'Other origins, such as `"https://app.example.org"`, whose web pages may open the WebSocket; `"*"` for all.'
        " Pages of this server itself may in any case, and programs, which send no origin.",
        reload=True,
    )
    web_dir: OptionalPath = _setting("", "Folder with the built web app; empty for the one that comes with Parley.")
    max_header_bytes: int = _setting(
        32768, "Largest head of a request; a larger one is answered with 431.", unit="bytes", ge=8192, le=1048576
    )
    header_timeout_s: int = _setting(
        20, "Time for the head of a request to arrive; then the connection is closed.", unit="seconds", ge=1, le=600
    )
    max_connections_per_address: int = _setting(
        500,
        "Most connections at a time from one IP address, WebSockets included; further ones are cut.",
        reload=True,
        ge=8,
    )
    trusted_proxies: tuple[AllowedNetwork, ...] = _setting(
        (),
        "Addresses and networks of reverse proxies. Their connections are not counted, and the last address in"
        " `X-Forwarded-For` that is none of theirs is the client that limits and throttles go by."
        " Their clients count as having come over TLS, unless `X-Forwarded-Proto` says otherwise.",
        reload=True,
    )
    max_ranges: int = _setting(
        16, "Most ranges in one request; with more, the whole content is sent.", reload=True, ge=1, le=1000
    )
    body_timeout_s: int = _setting(
        60,
        "Time for the next bytes of a request's body to arrive, or for a piece of a reply to be taken; then the"
        " connection is closed.",
        unit="seconds",
        ge=1,
        le=3600,
    )
    min_body_bytes_per_s: int = _setting(
        256,
        "A body that arrives more slowly than this, over its whole length and `body_timeout_s` more, is refused; 0 for"
        " no such limit.",
        unit="bytes per second",
        ge=0,
        le=_MIB,
    )


class TlsSettings(Section):
    """The certificate for XMPP and, where `http.listen_tls` is set, HTTP."""

    certificate: FilePath = _setting(
        "certs/fullchain.pem", "PEM file with the certificate and its chain, the server's own first.", reload=True
    )
    private_key: FilePath = _setting("certs/key.pem", "PEM file with the private key, unencrypted.", reload=True)


class ServicesSettings(Section):
    """Names of the services below each domain: a label such as `conference` serves `conference.example.org`. An empty
    one switches the service off."""

    rooms: Label = _setting("conference", "Where rooms are (XEP-0045).")
    pubsub: Label = _setting("pubsub", "Where nodes are that belong to no account (XEP-0060).")
    upload: Label = _setting("upload", "Where clients ask for upload slots (XEP-0363).")
    push: Label = _setting(
        "", "Where apps register devices to be woken, and servers ask for it (XEP-0357): for those who publish an app."
    )

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of those that are switched on."""
        return tuple(label for label in (self.rooms, self.pubsub, self.upload, self.push) if label)

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        if len(self.labels) != len(set(self.labels)):
            raise ValueError("two services have the same name")
        return self


class XmppSettings(Section):
    """XMPP over TCP. XMPP over WebSocket is served by `[http]`."""

    c2s: tuple[Address, ...] = _setting(
        (parse_listen_address("127.0.0.1:5222"),), "Where clients connect and then start TLS."
    )
    c2s_tls: tuple[Address, ...] = _setting(
        (parse_listen_address("127.0.0.1:5223"),), "Where clients connect with TLS from the first byte (XEP-0368)."
    )
    s2s: tuple[Address, ...] = _setting(
        (), "Where other servers connect and then start TLS; without this and `s2s_tls` federation is off."
    )
    s2s_tls: tuple[Address, ...] = _setting((), "Where other servers connect with TLS from the first byte (XEP-0368).")
    require_tls: bool = _setting(
        True,
        "Whether clients must start TLS before they sign in. `false` also offers plain streams, and SCRAM on them;"
        " it is refused when `c2s` has an address that other machines reach."
        " `true` also refuses WebSockets without TLS, but for those from this machine and from `http.trusted_proxies`.",
    )
    registration: Literal["closed", "invite", "open"] = _setting(
        "closed",
        "Who may create an account from a client (XEP-0077): nobody, who has an invitation, or anybody.",
        reload=True,
    )
    registrations_per_address: int = _setting(
        5,
        "Accounts created, and attempts that failed, from one IP address within an hour, after which it is refused.",
        reload=True,
        ge=1,
        le=10000,
    )
    account_removal: bool = _setting(
        False, "Whether people may remove their own account from a client (XEP-0077).", reload=True
    )
    component: tuple[Address, ...] = _setting(
        (), 'Where external components connect (XEP-0114), such as `"127.0.0.1:5347"`; see `[[components]]`.'
    )

    @field_validator("require_tls")
    @classmethod
    def _plain_streams_stay_local(cls, value: bool, info: ValidationInfo) -> bool:
        addresses: tuple[ListenAddress, ...] = info.data.get("c2s", ())
        exposed = [str(address) for address in addresses if not address.is_loopback]
        if not value and exposed:
            raise ValueError(f"false is refused while xmpp.c2s listens on {', '.join(exposed)}")
        return value


class ArchiveSettings(Section):
    """The message archive (XEP-0313)."""

    enabled: bool = _setting(
        True,
        "Whether messages are kept after delivery. `false` deletes them one to two hours after they came in, once they"
        " are delivered, and later where `limits.sm_resume_timeout_s` is longer than an hour: until then one that a"
        " client sends again is recognised.",
    )
    retention_days: int = _setting(
        0, "Messages are deleted after this many days; 0 keeps them.", unit="days", reload=True, ge=0, le=36500
    )
    max_page_items: int = _setting(
        250, "Most messages in one answer to an archive query; a client pages for more.", reload=True, ge=1, le=1000
    )
    default: Literal["always", "never", "roster"] = _setting(
        "always",
        "Which messages are archived for people who have chosen nothing: all, none, or those from and to contacts.",
    )
    preferences: Literal["allowed", "fixed"] = _setting(
        "allowed",
        "Whether people may choose for themselves what their archive keeps (XEP-0441). With `fixed` the default holds"
        " for everybody, whatever they chose before: for organisations that have to keep what is said.",
    )
    retractions: Literal["keep", "tombstone"] = _setting(
        "keep",
        "What becomes of a message in the archives when its author retracts it (XEP-0424): it stays, with the"
        " retraction behind it, or only the fact stays that there was one.",
    )
    full_text: bool = _setting(
        False,
        "Whether an index of words is kept, so that people can search their archive on the server (XEP-0431). Only what"
        " the server can read is in it, never what is sealed.",
    )


class SipSettings(Section):
    """SIP over UDP, TCP and TLS. This release checks and keeps these settings, but serves no SIP."""

    udp: tuple[Address, ...] = _setting((), "Where to serve SIP over UDP.")
    tcp: tuple[Address, ...] = _setting((), "Where to serve SIP over TCP.")
    tls: tuple[Address, ...] = _setting((), "Where to serve SIP over TLS.")


class MediaSettings(Section):
    """Media of calls. This release checks and keeps these settings, but carries no calls."""

    address: IpAddress = _setting("127.0.0.1", "IP address at which media is sent and received.")
    ports: Ports = _setting(parse_port_range("20000-20999"), "UDP ports for media, first and last.")


class LogSettings(Section):
    """Logs go to standard error, one event per line."""

    level: Literal["error", "warning", "info", "debug", "trace"] = _setting(
        "info", "The least severe events to write. `trace` adds protocol transcripts, never credentials.", reload=True
    )
    format: Literal["text", "json"] = _setting("text", "Lines for people, or one JSON object per line.", reload=True)
    drop_personal_data: bool = _setting(
        False, "Leave out addresses of people and machines, and the texts of unexpected errors.", reload=True
    )


class LimitSettings(Section):
    """What one peer, one account and all together may use."""

    max_connections: int = _setting(10000, "Most client connections at a time, all transports together.", ge=1)
    max_connections_per_address: int = _setting(
        200, "Most client connections at a time from one IP address, TLS handshakes included.", reload=True, ge=1
    )
    max_resources_per_account: int = _setting(
        20, "Most sessions of one account at a time; a further one is refused.", reload=True, ge=1
    )
    max_devices_per_account: int = _setting(
        100,
        "Most devices remembered for an account; `device_policy` says what happens to a further one.",
        reload=True,
        ge=1,
        le=10000,
    )
    device_policy: Literal["forget-oldest", "refuse"] = _setting(
        "forget-oldest",
        "What a device beyond `max_devices_per_account` brings about: the one not seen for longest is forgotten, with"
        " its credential and tokens, or the new one is refused until another one is revoked. Clients that name no"
        " resource and no installation are a new device at each sign-in.",
        reload=True,
    )
    # RFC 6120 §13.12: the limit on a stanza's size MUST NOT be smaller than 10000 bytes.
    max_stanza_bytes: int = _setting(
        262144, "Largest stanza of a signed-in client.", unit="bytes", reload=True, ge=10000, le=16 * _MIB
    )
    max_stanza_bytes_unauthenticated: int = _setting(
        16384, "Largest element before a client has signed in.", unit="bytes", reload=True, ge=10000, le=_MIB
    )
    max_depth: int = _setting(64, "Deepest nesting of elements in a stanza.", unit="levels", reload=True, ge=8, le=1000)
    max_attributes: int = _setting(64, "Most attributes of one element.", reload=True, ge=16, le=10000)
    max_children: int = _setting(
        1024, "Most elements directly inside a stanza.", unit="elements", reload=True, ge=64, le=100_000
    )
    max_queued_stanzas: int = _setting(
        64,
        "Stanzas of one client that wait for an earlier one to be handled; then the client is read no further.",
        unit="stanzas",
        reload=True,
        ge=4,
        le=10000,
    )
    max_uncommitted: int = _setting(
        512,
        "Messages of one client on their way to the disk; then the client is read no further.",
        unit="messages",
        reload=True,
        ge=4,
        le=10000,
    )
    max_directed_presences: int = _setting(
        1000, "Most addresses that one session has sent directed presence to.", reload=True, ge=1, le=100_000
    )
    handshake_timeout_s: int = _setting(
        30, "Time from connection to a bound resource.", unit="seconds", reload=True, ge=1, le=600
    )
    idle_before_ping_s: int = _setting(
        120, "Silence after which a client is asked for a sign of life.", unit="seconds", reload=True, ge=10
    )
    ping_timeout_s: int = _setting(
        30, "Time for that sign to arrive; then the connection is closed.", unit="seconds", reload=True, ge=1
    )
    bytes_per_s: int = _setting(
        131072,
        "What one client may send for long; above it the server reads more slowly.",
        unit="bytes per second",
        reload=True,
        ge=1024,
    )
    burst_bytes: int = _setting(
        _MIB, "What one client may send at once before `bytes_per_s` holds.", unit="bytes", reload=True, ge=16384
    )
    spread_per_s: int = _setting(
        2000,
        "Stanzas to contacts and subscribers that one account's presence and what it publishes may bring about for"
        " long; above it the server reads what its client says next more slowly. Of an item, every 4096 bytes count as"
        " one.",
        unit="stanzas per second",
        ge=10,
    )
    spread_burst: int = _setting(
        50_000, "How many of those may go out at once before `spread_per_s` holds.", unit="stanzas", ge=10
    )
    max_unsent_bytes: int = _setting(
        4 * _MIB,
        "What may wait for a client that reads slowly; beyond it the connection is closed and can be resumed.",
        unit="bytes",
        reload=True,
        ge=65536,
    )
    max_roster_items: int = _setting(5000, "Most contacts of one account.", reload=True, ge=1)
    max_roster_groups: int = _setting(100, "Most groups of one contact.", reload=True, ge=1, le=1000)
    max_request_bytes: int = _setting(
        4096, "Largest subscription request; it is stored until it is answered.", unit="bytes", reload=True, ge=1024
    )
    storage_queue_items: int = _setting(
        20000, "Messages and changes that wait to be stored; more are refused.", ge=100, le=1_000_000
    )
    storage_queue_bytes: int = _setting(
        64 * _MIB, "Memory for what waits to be stored; more is refused.", unit="bytes", ge=32 * _MIB
    )
    storage_queue_reads: int = _setting(
        2000, "Questions to the database that run or wait; more are refused.", ge=10, le=1_000_000
    )
    sm_resume_timeout_s: int = _setting(
        600, "How long a lost session can be resumed (XEP-0198).", unit="seconds", reload=True, ge=0, le=86400
    )
    session_journal_bytes: int = _setting(
        32 * _MIB,
        "Size of each of the two files that let sessions be resumed after a restart of the server; they grow when that"
        " is too small. 0 for none: then a restart ends all sessions, and the archive has what was missed.",
        unit="bytes",
        ge=0,
        le=4096 * _MIB,
    )
    sm_max_unacked: int = _setting(
        1000, "Most stanzas kept for a session that does not acknowledge them.", unit="stanzas", reload=True, ge=10
    )
    max_clock_jump_s: int = _setting(
        3600,
        "How far the wall clock may move against the time since boot. After a longer jump nothing is deleted for its"
        " age until the clock is set right or its jump is accepted; see the guide to administration.",
        unit="seconds",
        reload=True,
        ge=60,
        le=30 * 86400,
    )
    max_clock_gap_days: int = _setting(
        30,
        "How long the machine may have been off: when more time seems to have passed since the last boot, that counts"
        " as a jump of the clock.",
        unit="days",
        reload=True,
        ge=1,
        le=36500,
    )
    drain_timeout_s: int = _setting(
        5,
        "Time for connections and requests to end after SIGTERM before they are cut. Closing takes up to four seconds"
        " more; the whole never takes ten.",
        unit="seconds",
        ge=0,
        le=6,
    )


class LoginSettings(Section):
    """Sign-in by password, and by the tokens that clients get for it (XEP-0484)."""

    scram_iterations: int = _setting(
        32768,
        "Rounds of PBKDF2 for passwords set from now on. More resist guessing longer and slow every sign-in down on"
        " the client.",
        ge=4096,
        le=10_000_000,
    )
    hashes: tuple[Literal["SHA-512", "SHA-256", "SHA-1"], ...] = _setting(
        ("SHA-512", "SHA-256", "SHA-1"),
        "The hash functions for which SCRAM is offered. Clients take the strongest: while accounts that moved here from"
        " another server have theirs for one hash only, leave out the others.",
        reload=True,
        min_length=1,
    )
    attempts_per_stream: int = _setting(
        4,
        "Failed attempts after which a stream is closed; RFC 6120 wants 3 to 6. A mechanism that is refused as such, "
        "whatever the password, is none.",
        reload=True,
        ge=1,
        le=20,
    )
    failures_per_account: int = _setting(
        10, "Failures within the window after which an account's sign-ins are refused for a while.", reload=True, ge=1
    )
    failures_per_address: int = _setting(
        50, "Failures within the window after which an IP address is refused for a while.", reload=True, ge=1
    )
    failure_window_s: int = _setting(600, "How long a failure counts.", unit="seconds", reload=True, ge=1, le=86400)
    token_lifetime_days: int = _setting(
        30,
        "How long a client may sign in with a token instead of the password; each sign-in may bring a new one. After"
        " that it needs the password again. 0 gives no tokens, and takes none.",
        unit="days",
        reload=True,
        ge=0,
        le=3650,
    )
    token_rotation_hours: int = _setting(
        24, "Age of a token from which on its client gets a new one.", unit="hours", reload=True, ge=0, le=24 * 3650
    )


class UploadSettings(Section):
    """Files and voice messages (XEP-0363, tus 1.0)."""

    max_size_bytes: int = _setting(256 * _MIB, "Largest file.", unit="bytes", reload=True, ge=1024)
    quota_bytes: int = _setting(
        2048 * _MIB, "What the files of one account may take together.", unit="bytes", reload=True, ge=1024
    )
    max_incomplete: int = _setting(20, "Most unfinished uploads of one account.", reload=True, ge=1)
    expire_after_days: int = _setting(
        90, "Files are deleted after this many days; 0 keeps them.", unit="days", reload=True, ge=0, le=36500
    )
    incomplete_expire_hours: int = _setting(
        24, "An upload that has not grown for this long is deleted.", unit="hours", reload=True, ge=1, le=8760
    )
    slot_lifetime_s: int = _setting(
        3600, "Time from the request of a slot to the first byte.", unit="seconds", reload=True, ge=10, le=86400
    )
    sweep_interval_s: int = _setting(
        300, "How often expired and unfinished files are looked for.", unit="seconds", ge=1, le=86400
    )
    min_free_bytes: int = _setting(
        256 * _MIB, "Uploads are refused when the disk has less than this left.", unit="bytes", reload=True, ge=0
    )


class PolicySettings(Section):
    """What people here may do."""

    unsealed_in_sealed: Literal["deliver", "refuse"] = _setting(
        "deliver",
        "What happens to a message that is not end-to-end encrypted in a conversation that is: it is delivered, and"
        " shown as such, or refused.",
    )


class MetricsSettings(Section):
    """The figures at `/metrics`."""

    allow: tuple[AllowedNetwork, ...] = _setting(
        (parse_network("127.0.0.0/8"), parse_network("::1/128")),
        "Addresses and networks that may read them; all others are answered with 403.",
        reload=True,
    )


class Settings(Section):
    """The whole file."""

    domains: tuple[Domain, ...] = Field(
        min_length=1,
        description="Domains that this server serves, the primary one first.",
        json_schema_extra={"unit": "", "reload": False},
    )
    data_dir: FilePath = _setting("data", "Folder for database and files; one server may use it at a time.")
    admins: tuple[AccountAddress, ...] = _setting(
        (), "Accounts whose people may administer the server from a client (XEP-0133).", reload=True
    )
    http: HttpSettings = Field(default_factory=HttpSettings)
    tls: TlsSettings
    xmpp: XmppSettings = Field(default_factory=XmppSettings)
    services: ServicesSettings = Field(default_factory=ServicesSettings)
    invitations: InvitationSettings = Field(default_factory=InvitationSettings)
    federation: FederationSettings = Field(default_factory=FederationSettings)
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)
    sip: SipSettings = Field(default_factory=SipSettings)
    media: MediaSettings = Field(default_factory=MediaSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    login: LoginSettings = Field(default_factory=LoginSettings)
    upload: UploadSettings = Field(default_factory=UploadSettings)
    pep: PepSettings = Field(default_factory=PepSettings)
    pubsub: PubsubSettings = Field(default_factory=PubsubSettings)
    personal: PersonalSettings = Field(default_factory=PersonalSettings)
    contact: ContactSettings = Field(default_factory=ContactSettings)
    turn: TurnSettings = Field(default_factory=TurnSettings)
    rooms: RoomSettings = Field(default_factory=RoomSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    push: PushSettings = Field(default_factory=PushSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    components: tuple[ComponentSettings, ...] = _setting((), "External components; see `[[components]]`.")

    @field_validator("domains")
    @classmethod
    def _each_domain_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, domain in enumerate(value):
            if domain in value[:index]:
                raise ValueError(f"{domain} is listed twice")
        return value

    @field_validator("admins")
    @classmethod
    def _administrators_have_accounts_here(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for address in value:
            if address.rpartition("@")[2] not in info.data.get("domains", ()):
                raise ValueError(f"{address} is in none of the domains served here")
        return value

    @field_validator("components")
    @classmethod
    def _components_have_domains_of_their_own(
        cls, value: tuple[ComponentSettings, ...], info: ValidationInfo
    ) -> tuple[ComponentSettings, ...]:
        domains, services = info.data.get("domains", ()), info.data.get("services", ServicesSettings())
        taken = {*domains, *(f"{label}.{domain}" for label in services.labels for domain in domains)}
        for component in value:
            if component.name in taken:
                raise ValueError(f"{component.name} is the name of another component, or of ours")
            taken.add(component.name)
        return value

    @property
    def is_federated(self) -> bool:
        """Whether there are streams to and from other servers."""
        return bool(self.xmpp.s2s or self.xmpp.s2s_tls)

    @property
    def primary_domain(self) -> str:
        """The first of `domains`."""
        return self.domains[0]

    @property
    def database_path(self) -> Path:
        """Where the database file lies."""
        return self.data_dir / "parley.db"
