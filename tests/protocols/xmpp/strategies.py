"""Hypothesis strategies for XML as peers may write it, and a comparison by infoset."""

from hypothesis import strategies as st
from lxml import etree

STREAM_HEADER = (
    b"<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xml:lang='en' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' xmlns:cx='urn:example:declared-on-the-header'>"
)

names = st.sampled_from(["body", "x", "subject", "origin-id", "a.b", "_u", "é"])
namespaces = st.sampled_from(["jabber:client", "urn:xmpp:sid:0", "urn:example:1", "", "jabber:server"])
prefixes = st.sampled_from(["p", "q", "cx", "stream"])
plain_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\ufffe\uffff"), max_size=12
)
values = st.one_of(plain_text, st.sampled_from(["", "/", "a>b", "/>", "</message>", "it's", 'say "x"', "x\ty\nz"]))
spaces = st.sampled_from([" ", "  ", "\n", "\t ", "\r\n"])


def _escape(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")


@st.composite
def attributes(draw: st.DrawFn, taken: frozenset[str] = frozenset()) -> str:
    keys = draw(st.lists(st.sampled_from(["to", "from", "id", "type", "x", "xml:lang"]), unique=True, max_size=4))
    written = []
    for key in keys:
        if key in taken:
            continue
        value = _escape(draw(values))
        quote = draw(st.sampled_from("\"'"))
        value = value.replace(quote, "&quot;" if quote == '"' else "&apos;")
        equals = draw(st.sampled_from(["=", " = ", "\n="]))
        written.append(f"{draw(spaces)}{key}{equals}{quote}{value}{quote}")
    return "".join(written)


@st.composite
def contents(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.integers(0, 4 if depth else 2))
    if kind == 0:
        return "<![CDATA[" + draw(plain_text).replace("]]>", "") + "<x>]]>"
    if kind == 1:
        return draw(st.sampled_from(["&#65;", "&#x1F600;", "&amp;", "&lt;/", "&gt;", "&#13;", "/>", ">", "\r\n"]))
    if kind == 2:
        return _escape(draw(plain_text))
    return draw(elements(depth=depth - 1))


@st.composite
def elements(
    draw: st.DrawFn, depth: int = 2, name: str | None = None, outer: bool = False, xmlns: str | None = None
) -> str:
    """The text of one element; `outer` ones stand directly in a stream or a frame."""
    local = name or draw(names)
    declarations, prefix = "", ""
    if outer:
        declarations = f" xmlns='{xmlns}'" if xmlns is not None else ""
    elif draw(st.booleans()):
        declarations = f' xmlns="{draw(namespaces)}"'
    elif draw(st.integers(0, 4)) == 0:
        prefix = draw(prefixes)
        declarations = f" xmlns:{prefix}='urn:example:{draw(st.integers(0, 3))}'"
        local = f"{prefix}:{local}"
    if prefix and draw(st.booleans()):
        declarations += f" {prefix}:y='1'"
    if not outer and not prefix and draw(st.integers(0, 6)) == 0:
        # Declared by the stream header, or else by whoever puts this into a frame.
        local = f"cx:{local}"
    head = local + declarations + draw(attributes()) + draw(st.sampled_from(["", " ", "\n"]))
    inner = "".join(draw(st.lists(contents(depth), max_size=3)))
    if not inner and draw(st.booleans()):
        return f"<{head}/>"
    return f"<{head}>{inner}</{local}{draw(st.sampled_from(['', ' ']))}>"


stanza_names = st.sampled_from(["message", "presence", "iq"])
stanzas = stanza_names.flatmap(lambda name: elements(name=name, outer=True)).map(str.encode)


def infoset(tree: etree._Element) -> tuple[object, ...]:
    """What two spellings of the same XML have in common."""
    return (
        tree.tag,
        tuple(sorted((str(key), str(value)) for key, value in tree.attrib.items())),
        tree.text or "",
        tuple((infoset(child), child.tail or "") for child in tree),
    )


def parse_in_stream(data: bytes, header: bytes = STREAM_HEADER) -> etree._Element:
    """What lxml makes of an element inside a stream."""
    return etree.fromstring(header + data + b"</stream:stream>", etree.XMLParser(resolve_entities=False))[0]
