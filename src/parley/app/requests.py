"""What operators can ask for, as values: the same whether a running server answers or the command itself does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from parley.app.errors import Unwilling
from parley.domain.accounts import Credential


@dataclass(frozen=True, slots=True)
class Person:
    """An account to be: its address, and what the server keeps of its password."""

    address: str
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True)
class AddUsers:
    """Create all of these accounts or none."""

    people: tuple[Person, ...]
    kind: Literal["user-add"] = "user-add"


@dataclass(frozen=True, slots=True)
class FindTaken:
    """Say which of these addresses have an account."""

    addresses: tuple[str, ...]
    kind: Literal["user-taken"] = "user-taken"


@dataclass(frozen=True, slots=True)
class ListUsers:
    """Say which accounts there are, in one domain or all."""

    domain: str = ""
    kind: Literal["user-list"] = "user-list"


@dataclass(frozen=True, slots=True)
class ShowUser:
    """Say what is known of an account."""

    address: str
    kind: Literal["user-show"] = "user-show"


@dataclass(frozen=True, slots=True)
class SetPassword:
    """Replace a password; with `is_signing_out`, end the sessions that the old one opened."""

    address: str
    credentials: tuple[Credential, ...]
    is_signing_out: bool
    kind: Literal["user-password"] = "user-password"


@dataclass(frozen=True, slots=True)
class SetSuspended:
    """Suspend an account, which ends its sessions, or resume it."""

    address: str
    is_suspended: bool
    kind: Literal["user-suspend"] = "user-suspend"


@dataclass(frozen=True, slots=True)
class RemoveUser:
    """Remove an account and all that belongs to it."""

    address: str
    kind: Literal["user-remove"] = "user-remove"


@dataclass(frozen=True, slots=True)
class ListDevices:
    """Say which devices an account has."""

    address: str
    kind: Literal["device-list"] = "device-list"


@dataclass(frozen=True, slots=True)
class RevokeDevices:
    """Forget these devices of an account (None: all) with their credentials, and end their sessions."""

    address: str
    resources: tuple[str, ...] | None
    kind: Literal["device-revoke"] = "device-revoke"


@dataclass(frozen=True, slots=True)
class EndSessions:
    """End these sessions of an account (None: all); its devices may sign in again."""

    address: str
    resources: tuple[str, ...] | None
    kind: Literal["user-disconnect"] = "user-disconnect"


@dataclass(frozen=True, slots=True)
class CreateInvitation:
    """Invite somebody; see `parley.domain.administration.Wish`."""

    domain: str
    address: str
    inviter: str
    is_account: bool
    uses: int
    lifetime_s: int
    kind: Literal["invite-create"] = "invite-create"


@dataclass(frozen=True, slots=True)
class ListInvitations:
    """Say which invitations are open."""

    kind: Literal["invite-list"] = "invite-list"


@dataclass(frozen=True, slots=True)
class RevokeInvitation:
    """Forget an invitation."""

    id: str
    kind: Literal["invite-revoke"] = "invite-revoke"


@dataclass(frozen=True, slots=True)
class ListPartners:
    """Say which agreements with partners there are."""

    kind: Literal["partner-list"] = "partner-list"


@dataclass(frozen=True, slots=True)
class ShowPartner:
    """Say what is agreed with a partner."""

    domain: str
    kind: Literal["partner-show"] = "partner-show"


@dataclass(frozen=True, slots=True)
class AddPartner:
    """Make an agreement; see `parley.domain.partners.documents` for `terms`.

    What `terms` says of rates may be a part of them: the rest are the usual ones. `by` is who asks.
    """

    domain: str
    terms: dict[str, Any]
    usual_rates: dict[str, float]
    by: str
    kind: Literal["partner-add"] = "partner-add"


@dataclass(frozen=True, slots=True)
class ChangePartner:
    """Change an agreement; what `terms` does not name stays."""

    domain: str
    terms: dict[str, Any]
    usual_rates: dict[str, float]
    by: str
    kind: Literal["partner-change"] = "partner-change"


@dataclass(frozen=True, slots=True)
class RevokePartner:
    """End an agreement, and the partner's streams."""

    domain: str
    by: str
    kind: Literal["partner-revoke"] = "partner-revoke"


@dataclass(frozen=True, slots=True)
class PartnerLog:
    """Say who changed agreements (with one domain, or all), the newest change first."""

    domain: str = ""
    limit: int = 100
    kind: Literal["partner-log"] = "partner-log"


@dataclass(frozen=True, slots=True)
class ListPush:
    """Say which devices of an account are to be woken, and by which services."""

    address: str
    kind: Literal["push-list"] = "push-list"


@dataclass(frozen=True, slots=True)
class TestPush:
    """Wake all devices of an account, and say what became of it."""

    address: str
    kind: Literal["push-test"] = "push-test"


@dataclass(frozen=True, slots=True)
class ListRooms:
    """Say which rooms there are, at one service's domain or all."""

    domain: str = ""
    kind: Literal["room-list"] = "room-list"


@dataclass(frozen=True, slots=True)
class ShowRoom:
    """Say what is known of a room, but for what was said in it."""

    address: str
    kind: Literal["room-show"] = "room-show"


@dataclass(frozen=True, slots=True)
class DestroyRoom:
    """Put everybody out of a room, with a reason in words, and delete it with its archive."""

    address: str
    reason: str
    kind: Literal["room-destroy"] = "room-destroy"


@dataclass(frozen=True, slots=True)
class ListReports:
    """Say what was reported last; with `before`, what has a lower number."""

    limit: int
    before: int = 0
    kind: Literal["report-list"] = "report-list"


@dataclass(frozen=True, slots=True)
class DismissReport:
    """Forget a report."""

    id: int
    kind: Literal["report-dismiss"] = "report-dismiss"


Request = (
    AddUsers
    | FindTaken
    | ListUsers
    | ShowUser
    | SetPassword
    | SetSuspended
    | RemoveUser
    | ListDevices
    | RevokeDevices
    | EndSessions
    | CreateInvitation
    | ListInvitations
    | RevokeInvitation
    | ListPush
    | TestPush
    | ListPartners
    | ShowPartner
    | AddPartner
    | ChangePartner
    | RevokePartner
    | PartnerLog
    | ListRooms
    | ShowRoom
    | DestroyRoom
    | ListReports
    | DismissReport
)

_ADAPTER: TypeAdapter[Request] = TypeAdapter(
    Annotated[Request, Field(discriminator="kind")],
    config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", extra="forbid"),
)


def encode(request: Request) -> bytes:
    """The request as one line of JSON, without the line's end."""
    return _ADAPTER.dump_json(request)


def decode(line: bytes) -> Request:
    """The request in a line.

    Raises:
        Unwilling: `request-malformed`.
    """
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError as error:
        # The texts of the error may quote the input, which holds credentials.
        places = sorted({".".join(map(str, each["loc"])) for each in error.errors(include_input=False)})
        raise Unwilling(
            "request-malformed", f"the request is malformed at {', '.join(places) or 'its start'}"
        ) from None


Document = dict[str, Any]
"""An answer: what a command prints with `--json`."""
