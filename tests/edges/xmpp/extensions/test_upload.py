"""XEP-0363: slots."""

from __future__ import annotations

import pytest

from parley.domain.errors import LimitReached, Refused, StorageUnavailable
from parley.domain.uploads import Slot

from ..harness import Harness

NS = "urn:xmpp:http:upload:0"


def request(attrs: str, to: str = "upload.example.org") -> str:
    return f"<iq type='get' id='1' to='{to}'><request xmlns='{NS}' {attrs}/></iq>"


def error(condition: str, kind: str, code: str, application: str = "", sender: str = "upload.example.org") -> str:
    words = "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>*</text>"
    return (
        f"<iq type='error' id='1' from='{sender}' to='alice@example.org/phone'><error type='{kind}' code='{code}'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{words}{application}</error></iq>"
    )


async def test_a_slot() -> None:
    async with Harness() as host:
        account = await host.add("alice")
        phone = await host.connect("alice/phone")
        host.slots.slot = Slot(
            "https://example.org/put?a=1&b",
            "https://example.org/get",
            (("Authorization", "Basic eA==\r\nEvil: 1"), ("X-Other", "no")),
        )
        await phone.ask(
            request("filename='très cool.jpg' size='23456' content-type='image/jpeg'"),
            "<iq type='result' id='1' from='upload.example.org' to='alice@example.org/phone'>"
            f"<slot xmlns='{NS}'><put url='https://example.org/put?a=1&amp;b'>"
            "<header name='Authorization'>Basic eA==Evil: 1</header></put><get url='https://example.org/get'/>"
            "</slot></iq>",
        )
        assert host.slots.asked == [(account.id, "très cool.jpg", "image/jpeg", 23456)]


@pytest.mark.parametrize(
    "attrs", ["size='1'", "filename='a'", "filename='a' size='-1'", f"filename='{'a' * 1024}' size='1'"]
)
async def test_bad_requests(attrs: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.ask(request(attrs), error("bad-request", "modify", "400"))
        assert host.slots.asked == []


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (
            LimitReached("file-too-large"),
            error(
                "not-acceptable",
                "modify",
                "406",
                f"<file-too-large xmlns='{NS}'><max-file-size>268435456</max-file-size></file-too-large>",
            ),
        ),
        (LimitReached("quota-exceeded"), error("resource-constraint", "wait", "500")),
        (LimitReached("too-many-uploads"), error("resource-constraint", "wait", "500")),
        (Refused("bad-upload-request"), error("bad-request", "modify", "400")),
        (StorageUnavailable("storage-closed"), error("resource-constraint", "wait", "500")),
    ],
)
async def test_refusals(refusal: Exception, answer: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        host.slots.error = refusal
        await phone.ask(request("filename='a' size='1'"), answer)


async def test_only_the_service_has_slots() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.send(request("filename='a' size='1'", "example.org"))
        assert "service-unavailable" in phone.take()[0]
