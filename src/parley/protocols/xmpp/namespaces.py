"""Namespace names of XMPP as constants; the comment names the specification that owns each."""

# The xml: prefix (Namespaces in XML 1.0 §3).
NS_XML = "http://www.w3.org/XML/1998/namespace"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

# RFC 6120 and 6121.
NS_CLIENT = "jabber:client"
NS_SERVER = "jabber:server"
NS_DIALBACK = "jabber:server:dialback"  # XEP-0220
NS_DIALBACK_FEATURE = "urn:xmpp:features:dialback"  # XEP-0220
NS_BIDI = "urn:xmpp:bidi"  # XEP-0288
NS_BIDI_FEATURE = "urn:xmpp:features:bidi"  # XEP-0288
NS_STREAMS = "http://etherx.jabber.org/streams"
NS_STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
NS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
NS_SESSION = "urn:ietf:params:xml:ns:xmpp-session"
NS_ROSTER = "jabber:iq:roster"
NS_ROSTER_VERSIONING = "urn:xmpp:features:rosterver"  # RFC 6121 §2.6, formerly XEP-0237
NS_SUBSCRIPTION_PREAPPROVAL = "urn:xmpp:features:pre-approval"  # RFC 6121 §3.4

# RFC 7395.
NS_FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"

# XEPs, by number.
NS_DATA = "jabber:x:data"  # XEP-0004
NS_DISCO_INFO = "http://jabber.org/protocol/disco#info"  # XEP-0030
NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"  # XEP-0030
NS_VCARD = "vcard-temp"  # XEP-0054
NS_RSM = "http://jabber.org/protocol/rsm"  # XEP-0059
NS_PUBSUB = "http://jabber.org/protocol/pubsub"  # XEP-0060
NS_PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors"  # XEP-0060
NS_PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"  # XEP-0060
NS_PUBSUB_OWNER = "http://jabber.org/protocol/pubsub#owner"  # XEP-0060
NS_PUBSUB_PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"  # XEP-0060
NS_PUBSUB_NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config"  # XEP-0060
NS_REGISTER = "jabber:iq:register"  # XEP-0077
NS_CHAT_STATES = "http://jabber.org/protocol/chatstates"  # XEP-0085
NS_VERSION = "jabber:iq:version"  # XEP-0092
NS_CAPS = "http://jabber.org/protocol/caps"  # XEP-0115
NS_RECEIPTS = "urn:xmpp:receipts"  # XEP-0184
NS_BLOCKING = "urn:xmpp:blocking"  # XEP-0191
NS_SM = "urn:xmpp:sm:3"  # XEP-0198
NS_PING = "urn:xmpp:ping"  # XEP-0199
NS_DELAY = "urn:xmpp:delay"  # XEP-0203
NS_CARBONS = "urn:xmpp:carbons:2"  # XEP-0280
NS_FORWARD = "urn:xmpp:forward:0"  # XEP-0297
NS_CORRECT = "urn:xmpp:message-correct:0"  # XEP-0308
NS_MAM = "urn:xmpp:mam:2"  # XEP-0313
NS_CHAT_MARKERS = "urn:xmpp:chat-markers:0"  # XEP-0333
NS_HINTS = "urn:xmpp:hints"  # XEP-0334
NS_CSI = "urn:xmpp:csi:0"  # XEP-0352
NS_STANZA_IDS = "urn:xmpp:sid:0"  # XEP-0359
NS_HTTP_UPLOAD = "urn:xmpp:http:upload:0"  # XEP-0363
NS_EME = "urn:xmpp:eme:0"  # XEP-0380
NS_OMEMO_LEGACY = "eu.siacs.conversations.axolotl"  # XEP-0384 0.3
NS_OMEMO = "urn:xmpp:omemo:2"  # XEP-0384 0.8
NS_BIND2 = "urn:xmpp:bind:0"  # XEP-0386
NS_SASL2 = "urn:xmpp:sasl:2"  # XEP-0388
NS_SASL_CHANNEL_BINDING = "urn:xmpp:sasl-cb:0"  # XEP-0440
NS_STREAM_LIMITS = "urn:xmpp:stream-limits:0"  # XEP-0478
NS_SASL_UPGRADE = "urn:xmpp:sasl:upgrade:0"  # XEP-0480
NS_SCRAM_UPGRADE = "urn:xmpp:scram-upgrade:0"  # XEP-0480
NS_FAST = "urn:xmpp:fast:0"  # XEP-0484
