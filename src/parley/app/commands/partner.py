"""`parley partner …`: agreements with other organisations' servers."""

from __future__ import annotations

import base64
import getpass
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from parley.app.asking import ask
from parley.app.commands.frame import Group, Invocation, pass_invocation
from parley.app.requests import AddPartner, ChangePartner, ListPartners, PartnerLog, RevokePartner, ShowPartner
from parley.base.config import Settings
from parley.base.net.trust_store import certificates
from parley.domain.messages import Direction
from parley.domain.partners.agreements import StanzaKind
from parley.edges.xmpp.federation.policy import key_digest

F = TypeVar("F", bound=Callable[..., Any])

_NONE: Final = "none"
_PIN: Final = re.compile(r"(sha-?256:)?(?P<hex>([0-9a-f]{2}:?){32})", re.IGNORECASE)
_DIRECTIONS: Final = {"in": [Direction.IN], "out": [Direction.OUT], "both": [Direction.IN, Direction.OUT]}
_RATES: Final = ("stanzas_per_s", "burst_stanzas", "bytes_per_s", "burst_bytes")


def _terms(command: F) -> F:
    """The options that say what is agreed."""
    options = (
        click.option(
            "--direction", type=click.Choice(list(_DIRECTIONS)), help="in: they may write to us; out: we to them."
        ),
        click.option("--kinds", metavar="KIND,…", callback=_take_kinds, help=f"Of {', '.join(sorted(StanzaKind))}."),
        click.option(
            "--pin",
            "pins",
            multiple=True,
            metavar="SHA256|FILE",
            callback=_take_pins,
            help="A public key that must be in the chain of their certificate: its SHA-256 (SubjectPublicKeyInfo), or a"
            f' PEM file with the certificate. "{_NONE}" for no pins. May be repeated.',
        ),
        click.option(
            "--ca",
            "authorities",
            multiple=True,
            metavar="FILE",
            callback=_take_authorities,
            help="PEM file with the authority that must vouch for them, or with their own certificate; it need not be"
            f' trusted otherwise. "{_NONE}" for none of their own. May be repeated.',
        ),
        click.option(
            "--max-stanza-bytes", type=click.IntRange(0), help="Largest stanza, both ways; 0 for the usual limit."
        ),
        click.option("--stanzas-per-s", type=click.FloatRange(1), help="Stanzas they may send for long."),
        click.option("--burst-stanzas", type=click.FloatRange(1), help="Stanzas at once before that holds."),
        click.option("--bytes-per-s", type=click.FloatRange(1), help="Bytes they may send for long."),
        click.option("--burst-bytes", type=click.FloatRange(1), help="Bytes at once before that holds."),
        click.option("--starts", "starts_at", metavar="TIME", callback=_take_time, help='UTC, or "now".'),
        click.option(
            "--expires",
            "expires_at",
            metavar="TIME",
            callback=_take_time,
            help='2030-12-31, 2030-12-31T12:00, "never".',
        ),
        click.option(
            "--services/--no-services",
            "is_for_services",
            default=None,
            help="Whether it holds for the domains one label below, such as their rooms'. It does if not told.",
        ),
        click.option(
            "--dialback/--no-dialback",
            "is_dialback_allowed",
            default=None,
            help="Whether the domain name system may vouch for them (XEP-0220). Not unless told otherwise.",
        ),
        click.option("--note", help="For operators."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _take_kinds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    kinds = [word.strip() for word in value.split(",")]
    unknown = [word for word in kinds if word not in set(StanzaKind)]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: expected some of {', '.join(sorted(StanzaKind))}")
    return kinds


def _take_pins(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    if value in ((), (_NONE,)):
        return [] if value else None
    return [pin for text in value for pin in _pins(text)]


def _pins(text: str) -> list[str]:
    match = _PIN.fullmatch(text)
    if match is not None:
        return [match["hex"].replace(":", "").lower()]
    try:
        return [key_digest(certificate).hex() for certificate in _read_certificates(text)[:1]]
    except ValueError as error:
        raise click.BadParameter(f"{text}: {error}") from error


def _take_authorities(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    if value in ((), (_NONE,)):
        return [] if value else None
    return [base64.b64encode(each).decode() for text in value for each in _read_certificates(text)]


def _read_certificates(path: str) -> list[bytes]:
    try:
        found = certificates(Path(path).read_text("utf-8"))
        for certificate in found:
            key_digest(certificate)
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise click.BadParameter(f"{path} cannot be read as certificates in PEM form: {error}") from error
    if not found:
        raise click.BadParameter(f"{path} holds no certificate in PEM form")
    return found


def _take_time(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None:
        return None
    if value == ("now" if parameter.name == "starts_at" else "never"):
        return ""
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f'{value!r} is no time: write 2030-12-31 or "2030-12-31T12:00"') from error
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The terms that options name, in the words of an agreement's document."""
    terms = {name: value for name, value in options.items() if value is not None}
    if "direction" in terms:
        terms["directions"] = _DIRECTIONS[terms.pop("direction")]
    for name in ("starts_at", "expires_at", "max_stanza_bytes"):
        if name in terms:
            terms[name] = terms[name] or None
    rates = {name: terms.pop(name) for name in _RATES if name in terms}
    return terms | ({"rates": rates} if rates else {})


def _usual_rates(settings: Settings) -> dict[str, float]:
    federation = settings.federation
    return {
        "stanzas_per_s": federation.partner_stanzas_per_s,
        "burst_stanzas": federation.partner_burst_stanzas,
        "bytes_per_s": federation.partner_bytes_per_s,
        "burst_bytes": federation.partner_burst_bytes,
    }


def _operator() -> str:
    """Who gives the command, as far as the machine can tell."""
    invoker = os.environ.get("SUDO_USER")
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"user {os.getuid()}"
    return f"{invoker} as {name}" if invoker and invoker != name else name


@click.group(cls=Group)
def partner() -> None:
    """Agree with other organisations on what their servers and this one exchange.

    Works while the server runs and while it does not. What an agreement does not name is as usual: both directions,
    all kinds of stanzas, the limits of `[federation]`, any certificate that is valid for the domain, from now on.
    """


@partner.command("list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """List the agreements, and how many stanzas wait for each partner."""
    document = ask(invocation.settings(), ListPartners())
    lines = [_line(each) for each in document["partners"]]
    lines += [f"{each['domain']}  no agreement  {each['waiting']} waiting" for each in document["waiting_for_others"]]
    invocation.answer(document, "\n".join(lines))


@partner.command()
@click.argument("domain")
@pass_invocation
def show(invocation: Invocation, domain: str) -> None:
    """Show what is agreed with DOMAIN."""
    found = ask(invocation.settings(), ShowPartner(domain))
    invocation.answer(found, "\n".join(_described(found)))


@partner.command()
@click.argument("domain")
@_terms
@pass_invocation
def add(invocation: Invocation, /, domain: str, **options: Any) -> None:
    """Make an agreement with DOMAIN."""
    settings = invocation.settings()
    document = ask(settings, AddPartner(domain, _given(options), _usual_rates(settings), _operator()))
    invocation.answer(document)
    invocation.say(f"There is an agreement with {document['domain']}: {document['state']}{_ended(document)}.")


@partner.command()
@click.argument("domain")
@_terms
@pass_invocation
def change(invocation: Invocation, /, domain: str, **options: Any) -> None:
    """Change what is agreed with DOMAIN; what no option names stays."""
    settings = invocation.settings()
    terms = _given(options)
    if not terms:
        raise click.UsageError("Say what is to change.")
    document = ask(settings, ChangePartner(domain, terms, _usual_rates(settings), _operator()))
    invocation.answer(document)
    invocation.say(f"The agreement with {document['domain']} was changed: {document['state']}{_ended(document)}.")


@partner.command()
@click.argument("domain")
@pass_invocation
def revoke(invocation: Invocation, domain: str) -> None:
    """End the agreement with DOMAIN and cut its streams at once. In open federation it is shut out from then on."""
    document = ask(invocation.settings(), RevokePartner(domain, _operator()))
    invocation.answer(document)
    invocation.say(f"The agreement with {document['domain']} is revoked{_ended(document)}.")


@partner.command()
@click.argument("domain", default="")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Most changes to show.")
@pass_invocation
def log(invocation: Invocation, domain: str, limit: int) -> None:
    """Show who changed which agreement when, the newest first; of DOMAIN alone when it is given."""
    document = ask(invocation.settings(), PartnerLog(domain, limit))
    lines = [
        f"{each['at']}  {each['agreement']['domain']}  {each['action']} by {each['by']}\n    "
        + "; ".join(" ".join(line.split()) for line in _described(each["agreement"])[1:])
        for each in document["changes"]
    ]
    invocation.answer(document, "\n".join(lines))


def _line(agreement: dict[str, Any]) -> str:
    parts = [agreement["domain"], agreement["state"], _direction(agreement), ",".join(agreement["kinds"])]
    if agreement["expires_at"]:
        parts.append(f"until {agreement['expires_at']}")
    if agreement["streams"]:
        parts.append(f"{agreement['streams']} stream{'s' if agreement['streams'] != 1 else ''}")
    if agreement["cut_off_s"]:
        parts.append(f"cut off for {agreement['cut_off_s']} s")
    if agreement["waiting"]:
        parts.append(f"{agreement['waiting']} waiting")
    return "  ".join(parts)


def _described(agreement: dict[str, Any]) -> list[str]:
    rates = agreement["rates"]
    usual = "as usual"
    lines = {
        "domain": agreement["domain"] + (" and its services" if agreement["is_for_services"] else ""),
        "state": agreement.get("state"),
        "streams": agreement.get("streams"),
        "cut off": f"for {agreement['cut_off_s']} s" if agreement.get("cut_off_s") else None,
        "waiting": agreement.get("waiting"),
        "direction": _direction(agreement),
        "kinds": ", ".join(agreement["kinds"]),
        "pins": ", ".join(agreement["pins"]) or "none",
        "authorities": ", ".join(agreement["authorities"]) or usual,
        "largest": f"{agreement['max_stanza_bytes']} bytes" if agreement["max_stanza_bytes"] else usual,
        "rates": usual
        if rates is None
        else f"{rates['stanzas_per_s']:g} stanzas/s (burst {rates['burst_stanzas']:g}),"
        f" {rates['bytes_per_s']:g} bytes/s (burst {rates['burst_bytes']:g})",
        "dialback": "allowed" if agreement["is_dialback_allowed"] else "no",
        "starts": agreement["starts_at"],
        "expires": agreement["expires_at"] or "never",
        "revoked": agreement["revoked_at"],
        "note": agreement["note"],
    }
    return [f"{name:<12} {value}" for name, value in lines.items() if value not in (None, "", 0)]


def _direction(agreement: dict[str, Any]) -> str:
    return next(word for word, ways in _DIRECTIONS.items() if set(ways) == set(agreement["directions"]))


def _ended(document: dict[str, Any]) -> str:
    count = document["streams_ended"]
    return f"; {count} stream{'s' if count != 1 else ''} ended" if count else ""
