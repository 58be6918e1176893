"""Places to upload files to; the files themselves go over HTTP, see `edges/http`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.errors import LimitReached, Refused
from parley.domain.uploads import Slot
from parley.edges.xmpp.extension import Extension, Identity, IqHandler, IqRequest, Service, Target
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_HTTP_UPLOAD

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

_NAME: Final = "upload"
_MAX_FILENAME_BYTES: Final = 1023
_MAX_TYPE_BYTES: Final = 255
_SIZE_DIGITS: Final = 18
# §4: a client MUST NOT be given any other header.
_HEADERS: Final = frozenset({"Authorization", "Cookie", "Expires"})


async def _request(request: IqRequest) -> bytes:
    asked = request.tree
    filename, size, content_type = asked.get("filename", ""), asked.get("size", ""), asked.get("content-type", "")
    if not filename or not (size.isascii() and size.isdigit() and len(size) <= _SIZE_DIGITS):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a slot needs a filename and a size")
    if len(filename.encode()) > _MAX_FILENAME_BYTES or len(content_type.encode()) > _MAX_TYPE_BYTES:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "the filename or the content type is too long")
    try:
        slot = await request.host.stores.slots.request(request.session.account.id, filename, content_type, int(size))
    except Refused as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "no such upload can be") from error
    except LimitReached as error:
        raise _refusal(request.host, error) from error
    return _slot(slot)


def _refusal(host: Host, error: LimitReached) -> StanzaError:
    if error.code == "file-too-large":
        # §5.1
        limit = xml("max-file-size", None, str(host.settings.upload.max_size_bytes))
        application = xml("file-too-large", {"xmlns": NS_HTTP_UPLOAD}, limit)
        return StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the file is too large", application=application)
    text = "too many uploads are open" if error.code == "too-many-uploads" else "no room for this file is left"
    return StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, text)


def _slot(slot: Slot) -> bytes:
    headers = [
        # §4: line ends would let a value become another header.
        xml("header", {"name": name}, value.replace("\r", "").replace("\n", ""))
        for name, value in slot.headers
        if name in _HEADERS
    ]
    put = xml("put", {"url": slot.put_url}, *headers)
    return xml("slot", {"xmlns": NS_HTTP_UPLOAD}, put, xml("get", {"url": slot.get_url}))


def _form(host: Host) -> Form:
    limit = str(host.settings.upload.max_size_bytes)
    return Form("result", (Field("FORM_TYPE", (NS_HTTP_UPLOAD,), "hidden"), Field("max-file-size", (limit,))))


EXTENSION = Extension(
    spec="XEP-0363",
    name="HTTP File Upload",
    version="1.1.0",
    services=(Service(_NAME, Identity("store", "file", "Upload of files"), (NS_HTTP_UPLOAD,), _form),),
    # A slot's addresses are all it takes to use it.
    secret_namespaces=(NS_HTTP_UPLOAD,),
    iq=(IqHandler("get", NS_HTTP_UPLOAD, "request", frozenset({Target.SERVER}), _request, service=_NAME),),
)
