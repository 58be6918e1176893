"""The hand on Gajim's keyboard: a plug-in for Gajim, never imported here.

It listens on a socket of the profile. A line is a JSON array with the name of a method and its arguments; the answer is
a line with `result` or `error`. Where Gajim has an action for what a person would click, that action is used.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gajim.common import app, ged
from gajim.plugins import GajimPlugin
from gi.repository import Gio, GLib
from nbxmpp.protocol import JID

ACCOUNT = "main"


class Driver(GajimPlugin):
    """Named by `__init__.py`; Gajim makes the one instance."""

    def init(self) -> None:
        self.description = "Drives Gajim"
        self.config_dialog = None
        self._service = Gio.SocketService()

    def activate(self) -> None:
        address = Gio.UnixSocketAddress.new(os.environ["GAJIM_DRIVER"])
        self._service.add_address(address, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT, None)
        self._service.connect("incoming", self._on_incoming)
        self._service.start()

    def _on_incoming(self, _service: Any, connection: Any, _source: Any) -> bool:
        lines = Gio.DataInputStream.new(connection.get_input_stream())

        def on_line(_stream: Any, result: Any) -> None:
            line, _ = lines.read_line_finish_utf8(result)
            if line is None:
                connection.close()
                return
            answer = json.dumps(_answer(*json.loads(line))) + "\n"
            connection.get_output_stream().write_all(answer.encode(), None)
            lines.read_line_async(GLib.PRIORITY_DEFAULT, None, on_line)

        lines.read_line_async(GLib.PRIORITY_DEFAULT, None, on_line)
        return True


def _answer(name: str, *arguments: Any) -> dict[str, Any]:
    try:
        return {"result": COMMANDS[name](*arguments)}
    except Exception:
        return {"error": traceback.format_exc()}


def is_online() -> bool:
    """Whether the account is signed in and its window is there."""
    return app.window is not None and app.account_is_available(ACCOUNT)


def open_chat(address: str) -> None:
    """Open the chat with a person and turn to it."""
    app.window.add_chat(ACCOUNT, JID.from_string(address), "contact", select=True)


def open_room(address: str, options: dict[str, Any]) -> None:
    """Make a room with Gajim's own settings but for these options, enter it and turn to it."""
    _module("MUC").create(address, options)
    app.window.add_group_chat(ACCOUNT, JID.from_string(address), select=True)


def enter_room(address: str, nick: str) -> None:
    """Enter a room and turn to it."""
    app.window.show_add_join_groupchat(ACCOUNT, address, nickname=nick)


def admit(address: str, person: str) -> None:
    """Make a person a member of a room."""
    _module("MUC").set_affiliation(JID.from_string(address), {JID.from_string(person): {"affiliation": "member"}})


def leave_room(address: str) -> None:
    """Leave a room."""
    _module("MUC").leave(address)


def write(text: str) -> bool:
    """Type a text into the chat that is open and send it. Returns whether it went: sealed text may have to wait."""
    sent = []

    def on_sent(event: Any) -> None:
        sent.append(event.message)

    box = app.window.get_chat_stack().get_message_input()
    box.clear()
    box.insert_text(text)
    app.ged.register_event_handler("message-sent", ged.CORE, on_sent)
    app.window.activate_action("send-message", None)
    app.ged.remove_event_handler("message-sent", ged.CORE, on_sent)
    return text in sent


def seal() -> None:
    """Turn OMEMO on in the chat that is open."""
    app.window.get_action("set-encryption").change_state(GLib.Variant("s", "OMEMO"))


def may_send_files() -> bool:
    """Whether files can be sent to the chat that is open, by way of the server."""
    return bool(app.window.get_action_enabled("send-file-httpupload"))


def send_file(path: str) -> None:
    """Send a file to the chat that is open."""
    _module("HTTPUpload").send_file(app.window.get_control().contact, Path(path))


def befriend(address: str) -> None:
    """Ask for a contact's presence and grant one's own."""
    _module("Presence").subscribe(address, auto_auth=True)


def shown() -> list[list[str]]:
    """Who said what, in the chat that is open."""
    # Its control has no public name for what it shows.
    rows = app.window.get_control()._scrolled_view.iter_rows()
    return [[row.name, row.text] for row in rows if row.type == "chat"]


def participants() -> list[str]:
    """The nicknames in the room that is open; none until Gajim has entered it and, when it is new, set it up."""
    room = app.window.get_control().contact
    return [participant.name for participant in room.get_participants()] if room.is_joined else []


def _module(name: str) -> Any:
    return app.get_client(ACCOUNT).get_module(name)


COMMANDS: dict[str, Callable[..., Any]] = {
    command.__name__: command
    for command in (
        *(is_online, open_chat, open_room, enter_room, leave_room, write, seal, may_send_files, send_file),
        *(admit, befriend, shown, participants),
    )
}
