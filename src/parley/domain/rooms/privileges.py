"""Who may change whom: the tables of XEP-0045 §5.1 and §5.2 with the exceptions of §8 to §10.

Two ways to be refused: NO_PRIVILEGE, when the actor may not do such a thing at all (the wire says `forbidden`), and
TARGET_TOO_HIGH, when not to this one (`not-allowed`).
"""

from __future__ import annotations

from parley.domain.rooms.config import RoomConfig
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.standing import Affiliation, Role


def check_role_change(
    actor_role: Role, actor: Affiliation, target_role: Role, target: Affiliation, new_role: Role
) -> None:
    """Whether the actor may give an occupant another role.

    Raises:
        RoomRefused: NO_PRIVILEGE or TARGET_TOO_HIGH.
    """
    is_admin = actor.rank >= Affiliation.ADMIN.rank
    # §8, §9: owners and admins may, whether they are in the room or not; of others only moderators.
    if not is_admin and actor_role is not Role.MODERATOR:
        # Without words, as for a name that nobody has: who may not do it does not learn by asking who is here.
        raise RoomRefused(Why.NO_PRIVILEGE)
    if new_role is Role.NONE:
        _check_kick(actor, target_role, target)
    elif new_role is Role.MODERATOR:
        # §9.6: an admin grants moderator privileges.
        if not is_admin:
            raise RoomRefused(Why.NO_PRIVILEGE, "only admins may do this")
    elif target_role is Role.MODERATOR:
        # §9.7: not from an owner or admin, and by an admin only.
        if target.rank >= Affiliation.ADMIN.rank:
            raise RoomRefused(Why.TARGET_TOO_HIGH, "owners and admins stay moderators")
        if not is_admin:
            raise RoomRefused(Why.NO_PRIVILEGE, "only admins may do this")
    elif new_role is Role.VISITOR and target_role is Role.PARTICIPANT and target.rank >= actor.rank:
        # §8.4: a moderator MUST NOT be able to revoke voice from a user whose affiliation is at or above theirs.
        raise RoomRefused(Why.TARGET_TOO_HIGH, "not from those of the same affiliation or a higher one")


def _check_kick(actor: Affiliation, target_role: Role, target: Affiliation) -> None:
    # §8.2: a user cannot be kicked by a moderator with a lower affiliation.
    if target.rank > actor.rank:
        raise RoomRefused(Why.TARGET_TOO_HIGH, "not those of a higher affiliation")
    # §5.1.1: moderators kick participants and visitors; another moderator goes only by an admin or owner.
    if target_role is Role.MODERATOR and actor.rank < Affiliation.ADMIN.rank:
        raise RoomRefused(Why.TARGET_TOO_HIGH, "not other moderators")


def check_affiliation_change(actor: Affiliation, before: Affiliation, after: Affiliation, *, is_self: bool) -> None:
    """Whether the actor may change what an address is to the room. That an owner stays is for the room to see.

    Raises:
        RoomRefused: NO_PRIVILEGE, TARGET_TOO_HIGH or ONESELF.
    """
    if actor.rank < Affiliation.ADMIN.rank:
        raise RoomRefused(Why.NO_PRIVILEGE, "only admins and owners may do this")
    if after is Affiliation.OUTCAST:
        # §9.1: an attempt to ban oneself MUST be denied as a conflict.
        if is_self:
            raise RoomRefused(Why.ONESELF, "nobody bans themselves")
        # §9.1: nor can somebody of a higher affiliation be banned; §5.2.2: an admin is banned by an owner.
        if actor is not Affiliation.OWNER and before.rank >= actor.rank:
            raise RoomRefused(Why.TARGET_TOO_HIGH, "not those of the same affiliation or a higher one")
    elif actor is not Affiliation.OWNER and max(before.rank, after.rank) >= Affiliation.ADMIN.rank and before != after:
        # §10.5, §10.8: only owners modify the lists of owners and admins.
        raise RoomRefused(Why.NO_PRIVILEGE, "only owners may do this")


def check_list(listed: Affiliation, actor_role: Role, actor: Affiliation, config: RoomConfig) -> None:
    """Whether the actor may see the list of those with an affiliation (§9.2, §9.5, §10.5, §10.8).

    Args:
        listed: whose list.
        actor_role: of the actor in the room, NONE outside.
        actor: the actor's affiliation.
        config: the room's options.

    Raises:
        RoomRefused: NO_PRIVILEGE.
    """
    least = Affiliation.OWNER if listed.rank >= Affiliation.ADMIN.rank else Affiliation.ADMIN
    if actor.rank >= least.rank:
        return
    # §5.2.1: members see the lists where real addresses show, as those to encrypt for; not where they are hidden.
    if actor.rank >= Affiliation.MEMBER.rank and not config.is_anonymous and listed is not Affiliation.OUTCAST:
        return
    if listed is Affiliation.MEMBER and actor_role in config.member_list_for:
        return
    raise RoomRefused(Why.NO_PRIVILEGE, "this list is not for everybody")
