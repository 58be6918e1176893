"""Who may open an account and who may administer: invitations and external components among it."""

from typing import Literal

from pydantic import Field

from parley.base.config.section import Section, setting
from parley.base.config.values import Domain


class InvitationSettings(Section):
    """Invitations from clients (XEP-0401). `parley invite` may always be used."""

    inviters: Literal["admins", "everybody"] = setting(
        "admins",
        "Who may invite from a client: the people in `admins`, or everybody. Unless `xmpp.registration` is `closed`, an"
        " invitation also opens an account.",
        reload=True,
    )
    lifetime_hours: int = setting(
        168, "How long an invitation from a client can be taken up.", unit="hours", reload=True, ge=1, le=8760
    )
    max_per_account: int = setting(
        20, "Most open invitations of one account; those of administrators count too.", reload=True, ge=1, le=10000
    )


class ComponentSettings(Section):
    """An external component (XEP-0114) that may connect at `xmpp.component`: a program that serves a domain of its own,
    such as a gateway. Each is a table of its own, headed `[[components]]`."""

    name: Domain = Field(
        description="The domain that the component serves; none of `domains`, and none of the services below them.",
        json_schema_extra={"unit": "", "reload": False},
    )
    secret: str = Field(
        min_length=6,
        repr=False,
        description="What the component has to know; at least 6 characters.",
        json_schema_extra={"unit": "", "reload": False},
    )
