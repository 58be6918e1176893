"""An owner's options by data forms (XEP-0045 §10.1 and §10.2), and the room's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from parley.domain.rooms.config import Audience, RoomConfig, check_config
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.events import Absent, Changed, Removed
from parley.domain.rooms.room import StandingChange
from parley.domain.rooms.standing import Affiliation, Role
from parley.edges.xmpp.rooms.administration import tell_absentees
from parley.edges.xmpp.rooms.destroying import destroy_room, destroyed_presence
from parley.edges.xmpp.rooms.names import (
    CONFIG_CHANGED,
    LOGGED,
    NOT_LOGGED,
    NOW_NONANONYMOUS,
    NOW_SEMIANONYMOUS,
    NS_MUC_CONFIG,
    NS_MUC_OWNER,
)
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.edges.xmpp.rooms.requests import Asked

_P: Final = "muc#roomconfig_"
_OWNERS: Final = f"{_P}roomowners"
_ADMINS: Final = f"{_P}roomadmins"
_PROTECTED: Final = f"{_P}passwordprotectedroom"
_SECRET: Final = f"{_P}roomsecret"
_ROLES: Final = (("Moderator", "moderator"), ("Participant", "participant"), ("Visitor", "visitor"))
_SIZES: Final = (10, 20, 30, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class _Option:
    """One field of the form: how it is shown, and which option it sets."""

    var: str
    label: str
    name: str
    type: str = "boolean"
    options: tuple[tuple[str, str], ...] = ()
    read: Callable[[Form, str], Any] = Form.flag
    write: Callable[[Any], tuple[str, ...]] = lambda value: ("1" if value else "0",)

    def field(self, config: RoomConfig) -> Field:
        """The field with the present value."""
        return Field(self.var, self.write(getattr(config, self.name)), self.type, self.label, self.options)


def _read_text(form: Form, var: str) -> str:
    field = form.field(var)
    return "\n".join(field.values).strip() if field is not None else ""


def _write_text(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def _read_roles(form: Form, var: str) -> frozenset[Role]:
    field = form.field(var)
    try:
        roles = frozenset(Role(value) for value in ([] if field is None else field.values))
    except ValueError as error:
        raise RoomRefused(Why.CONFIG_BAD, f"unknown role in {var}") from error
    if Role.NONE in roles:
        raise RoomRefused(Why.CONFIG_BAD, f"unknown role in {var}")
    return roles


def _write_roles(value: frozenset[Role]) -> tuple[str, ...]:
    return tuple(role for _, role in _ROLES if Role(role) in value)


def _read_number(form: Form, var: str) -> int:
    text = (form.value(var) or "").strip()
    if text in ("", "none"):
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RoomRefused(Why.CONFIG_BAD, f"{var} is not a number")
    return int(text)


def _read_audience(form: Form, var: str) -> Audience:
    try:
        return Audience(form.value(var) or "")
    except ValueError as error:
        raise RoomRefused(Why.CONFIG_BAD, f"unknown value of {var}") from error


def _read_whois(form: Form, var: str) -> bool:
    value = form.value(var)
    if value not in ("anyone", "moderators"):
        raise RoomRefused(Why.CONFIG_BAD, "addresses are shown to moderators or to anyone")
    return value == "moderators"


def _text(var: str, label: str, name: str, kind: str = "text-single") -> _Option:
    return _Option(var, label, name, kind, read=_read_text, write=_write_text)


_MAX_USERS: Final = _Option(
    f"{_P}maxusers",
    "Maximum Number of Occupants",
    "max_occupants",
    "list-single",
    tuple((str(size), str(size)) for size in _SIZES),
    read=_read_number,
    write=lambda value: (str(value) if value else "none",),
)
_OPTIONS: Final = (
    _text(f"{_P}roomname", "Natural-Language Room Name", "name"),
    _text(f"{_P}roomdesc", "Short Description of Room", "description"),
    _text(f"{_P}lang", "Natural Language for Room Discussions", "language"),
    _Option(f"{_P}persistentroom", "Make Room Persistent?", "is_persistent"),
    _Option(f"{_P}publicroom", "Make Room Publicly Searchable?", "is_public"),
    _Option(f"{_P}membersonly", "Make Room Members-Only?", "is_members_only"),
    _Option(f"{_P}moderatedroom", "Make Room Moderated?", "is_moderated"),
    _Option(f"{_P}changesubject", "Allow Occupants to Change Subject?", "is_subject_open"),
    _Option(f"{_P}allowinvites", "Allow Members to Invite Others?", "is_invite_open"),
    _Option(
        f"{_P}allowpm",
        "Who May Send Private Messages?",
        "private_messages",
        "list-single",
        (
            ("Anyone", "anyone"),
            ("Anyone with Voice", "participants"),
            ("Moderators Only", "moderators"),
            ("Nobody", "none"),
        ),
        read=_read_audience,
        write=lambda value: (value.value,),
    ),
    _MAX_USERS,
    _Option(
        f"{_P}presencebroadcast",
        "Roles for which Presence is Broadcast",
        "presence_of",
        "list-multi",
        _ROLES,
        read=_read_roles,
        write=_write_roles,
    ),
    _Option(
        f"{_P}getmemberlist",
        "Roles that May Retrieve the Member List",
        "member_list_for",
        "list-multi",
        _ROLES,
        read=_read_roles,
        write=_write_roles,
    ),
    _Option(
        f"{_P}whois",
        "Who May Discover Real Addresses?",
        "is_anonymous",
        "list-single",
        (("Moderators Only", "moderators"), ("Anyone", "anyone")),
        read=_read_whois,
        write=lambda value: ("moderators" if value else "anyone",),
    ),
    _Option(f"{_P}enablelogging", "Enable Public Logging?", "is_logged"),
    _Option(f"{_P}enablearchiving", "Keep Messages in the Archive?", "is_archived"),
    _Option(
        "muc#maxhistoryfetch",
        "Number of Messages Shown to Who Enters",
        "history_length",
        "text-single",
        read=_read_number,
        write=lambda value: (str(value),),
    ),
    _text(f"{_P}pubsub", "XMPP URI of Associated Publish-Subscribe Node", "pubsub"),
    _Option(f"x-{_P}reservednick", "Members Enter under Their Registered Nickname Only?", "is_nick_reserved_only"),
    _Option(f"x-{_P}registration", "Allow Users to Register with the Room?", "is_registration_open"),
    _Option(f"x-{_P}publicoccupants", "Show Nicknames Inside to Everybody?", "are_occupants_public"),
)


async def get_form(asked: Asked) -> bytes:
    """§10.2: the form with the present options. Raises RoomRefused."""
    live = asked.live
    live.room.check_owner(asked.address)
    return xml("query", {"xmlns": NS_MUC_OWNER}, _form(live).to_bytes())


def _form(live: LiveRoom) -> Form:
    config = live.room.config
    fields = [Field("FORM_TYPE", (NS_MUC_CONFIG,), "hidden")]
    for option in _OPTIONS:
        field = option.field(config)
        fields.append(_with_sizes(live, field) if option is _MAX_USERS else field)
        if option.name == "is_moderated":
            fields.append(
                Field(_PROTECTED, ("1" if config.password else "0",), "boolean", "Password Required to Enter?")
            )
            fields.append(Field(_SECRET, _write_text(config.password), "text-private", "Password"))
    fields.append(Field(_ADMINS, _people(live, Affiliation.ADMIN), "jid-multi", "Room Admins"))
    fields.append(Field(_OWNERS, _people(live, Affiliation.OWNER), "jid-multi", "Room Owners"))
    title = f"Configuration for {live.room.address}"
    return Form("form", tuple(fields), title, ("Complete and submit this form to configure the room.",))


def _with_sizes(live: LiveRoom, field: Field) -> Field:
    """Sizes that the server allows, and the present one."""
    most = live.host.settings.rooms.max_occupants
    sizes = {size for size in _SIZES if size <= most}
    if live.room.config.max_occupants:
        sizes.add(live.room.config.max_occupants)
    options = tuple((str(size), str(size)) for size in sorted(sizes))
    return replace(field, options=(*options, ("None", "none")))


def _people(live: LiveRoom, affiliation: Affiliation) -> tuple[str, ...]:
    return tuple(sorted(address for address, _ in live.room.with_affiliation(affiliation)))


async def configure(asked: Asked) -> bytes | None:
    """§10.1, §10.2, §10.9: options, the end of the room, or neither. Raises RoomRefused, StanzaError, PayloadError."""
    live, tree = asked.live, asked.tree
    live.room.check_owner(asked.address)
    destroy = tree.find(f"{{{NS_MUC_OWNER}}}destroy")
    if destroy is not None:
        return await destroy_room(asked, destroy)
    form = find_form(tree)
    if form is None or form.type not in ("submit", "cancel"):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a form is missing")
    if form.type == "cancel":
        if live.room.is_locked:
            # §10.1.3: a room that never was configured goes.
            destroyed_presence(live, "", "", "")
            live.rooms.dissolve(live)
        return b""
    if form.form_type not in ("", NS_MUC_CONFIG):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a form for something else")
    await _apply(asked, form)
    return None


async def _apply(asked: Asked, form: Form) -> None:
    live, room = asked.live, asked.live.room
    before, was_locked = room.config, room.is_locked
    config = _submitted(before, form)
    check_config(config, live.rooms.limits())
    changes = _standing_changes(live, form)
    if changes:
        room.check_standings(asked.address, changes)
    after = {change.address: room.standing_after(change) for change in changes}
    standings = {**room.standings, **after}
    await live.host.stores.rooms.save(replace(room.state(), config=config, is_locked=False, standings=standings))
    by = room.acting_nick(asked.session)
    events: list[Changed | Removed | Absent] = []
    for change in changes:
        events += room.change_standing(change, by)
    events += room.configure(config)
    live.tell_removed(events)
    asked.answer()
    live.tell_rest(events)
    _tell_shown(live, before)
    codes = _codes(before, config)
    if not was_locked and (changes or _public(config) != _public(before)):
        codes.append(CONFIG_CHANGED)
    if codes:
        live.say(*codes)
    await tell_absentees(live, asked.address, events)


def _tell_shown(live: LiveRoom, before: RoomConfig) -> None:
    """The roles whose presence is broadcast are others: who was seen by all goes for them, who was not appears."""
    after = live.room.config.presence_of
    occupants = tuple(live.room.occupants.values())
    for occupant in occupants:
        if (occupant.role in before.presence_of) is (occupant.role in after):
            continue
        shown = live.present(occupant) if occupant.role in after else live.hidden(occupant)
        for other in occupants:
            # Moderators see everybody in any case.
            if other is not occupant and other.role is not Role.MODERATOR:
                for session in tuple(other.sessions):
                    shown.to_newcomer(session, other.role)


def _codes(before: RoomConfig, after: RoomConfig) -> list[int]:
    """§10.2.1: the codes of what concerns privacy. Its maker hears them too when the room is first configured."""
    codes = []
    if after.is_logged != before.is_logged:
        codes.append(LOGGED if after.is_logged else NOT_LOGGED)
    if after.is_anonymous != before.is_anonymous:
        codes.append(NOW_SEMIANONYMOUS if after.is_anonymous else NOW_NONANONYMOUS)
    return codes


def _public(config: RoomConfig) -> RoomConfig:
    """The options but those that have codes of their own."""
    return replace(config, is_logged=False, is_anonymous=False)


def _submitted(config: RoomConfig, form: Form) -> RoomConfig:
    """The options with what the form sets; what it leaves out stays."""
    values: dict[str, Any] = {}
    for option in _OPTIONS:
        if form.field(option.var) is not None:
            value = option.read(form, option.var)
            if value is not None:
                values[option.name] = value
    password = _password(config, form)
    return replace(config, **values, password=password)


def _password(config: RoomConfig, form: Form) -> str:
    is_protected, secret = form.flag(_PROTECTED), form.value(_SECRET)
    if is_protected is False:
        return ""
    given = config.password if secret is None else secret
    if is_protected and not given:
        # §10.1.3: a room with a password has one that is not blank.
        raise RoomRefused(Why.CONFIG_BAD, "the password is blank")
    return given if is_protected or config.password or secret else ""


def _standing_changes(live: LiveRoom, form: Form) -> list[StandingChange]:
    """§10.2: the form has the full lists. Who is on them no longer is one step less: a member, or an admin."""
    changes: dict[str, StandingChange] = {}
    wanted: dict[str, Affiliation] = {}
    for var, affiliation, below in (
        (_ADMINS, Affiliation.ADMIN, Affiliation.MEMBER),
        (_OWNERS, Affiliation.OWNER, Affiliation.ADMIN),
    ):
        field = form.field(var)
        if field is None:
            continue
        named = {str(JID.parse(value.strip()).bare) for value in field.values if value.strip()}
        wanted |= dict.fromkeys(named, affiliation)
        for address, _ in live.room.with_affiliation(affiliation):
            if address not in named:
                changes[address] = StandingChange(address, below)
    for address, affiliation in wanted.items():
        changes.pop(address, None)
        if live.room.standings.get(address) is None or live.room.standings[address].affiliation is not affiliation:
            changes[address] = StandingChange(address, affiliation)
    return list(changes.values())
