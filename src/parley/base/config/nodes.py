"""Settings of publish-subscribe: nodes of accounts (XEP-0163) and of the service (XEP-0060)."""

from typing import Literal

from parley.base.config.section import Section
from parley.base.config.section import setting as _setting

_MIB = 1024 * 1024


class PepSettings(Section):
    """What accounts publish about themselves (XEP-0163)."""

    max_nodes: int = _setting(256, "Most nodes of one account.", reload=True, ge=10)
    max_items: int = _setting(256, "Most items of one node.", reload=True, ge=1)
    max_item_bytes: int = _setting(131072, "Largest item.", unit="bytes", reload=True, ge=1024)
    max_answer_bytes: int = _setting(
        _MIB, "Items in one answer take so much at most; a client pages for more.", unit="bytes", reload=True, ge=1024
    )
    max_affiliations: int = _setting(1000, "Most people that one node has on its lists.", reload=True, ge=1)
    max_subscriptions: int = _setting(
        1000,
        "Most subscriptions by request to one node; contacts that ask for its events by their capabilities do not"
        " count.",
        reload=True,
        ge=1,
    )
    max_subscriptions_each: int = _setting(
        10, "Most subscriptions of one account, with its devices, to one node.", reload=True, ge=1
    )


class PubsubSettings(Section):
    """Nodes that belong to no account, at the service named in `[services]` (XEP-0060)."""

    creation: Literal["accounts", "everyone", "nobody"] = _setting(
        "accounts",
        "Who may create nodes: people with an account here, also those of other servers, or nobody.",
        reload=True,
    )
    max_nodes: int = _setting(300, "Most nodes that one account has created.", reload=True, ge=1)
    max_items: int = _setting(1000, "Most items of one node.", reload=True, ge=1, le=10_000)
    max_item_bytes: int = _setting(65536, "Largest item.", unit="bytes", reload=True, ge=1024)
    max_answer_bytes: int = _setting(
        _MIB, "Items in one answer take so much at most; a client pages for more.", unit="bytes", reload=True, ge=1024
    )
    max_affiliations: int = _setting(1000, "Most people that one node has on its lists.", reload=True, ge=1)
    max_subscriptions: int = _setting(
        1000, "Most subscriptions to one node: so many notifications follow from one item.", reload=True, ge=1
    )
    max_subscriptions_each: int = _setting(
        10, "Most subscriptions of one account, with its devices, to one node.", reload=True, ge=1
    )
