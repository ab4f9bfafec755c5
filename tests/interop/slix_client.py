"""A slixmpp client that obeys JSON lines on stdin and tells on stdout what it receives, one JSON object a line.

Runs as a program of its own, inside the namespace: slixmpp needs asyncio, which the tests' reactor does not run.
In:  {"do": "connect"} | {"do": "send", "xml": …} | {"do": "disconnect"}
Out: {"stanza": xml, "at": seconds} | {"event": name, "at": seconds}
"""

import asyncio
import json
import sys
import time
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from slixmpp import ClientXMPP

_XML = "http://www.w3.org/XML/1998/namespace"
_TOLD = ("session_start", "disconnected", "failed_all_auth", "connection_failed", "stream_error")


def _tell(**said: object) -> None:
    sys.stdout.write(json.dumps({**said, "at": time.time()}) + "\n")
    sys.stdout.flush()


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition("}")
    return namespace.removeprefix("{"), local


def _written_attribute(number: int, name: str, value: str) -> str:
    namespace, local = _split(name)
    if not namespace:
        return f" {local}={quoteattr(value)}"
    if namespace == _XML:
        return f" xml:{local}={quoteattr(value)}"
    return f" xmlns:a{number}={quoteattr(namespace)} a{number}:{local}={quoteattr(value)}"


def written(element: Element, around: str = "") -> str:
    """The element as text that loses nothing; a namespace is declared where it changes, as servers write it."""
    namespace, local = _split(element.tag)
    start = f"<{local}" + (f" xmlns={quoteattr(namespace)}" if namespace != around else "")
    for number, (name, value) in enumerate(element.items()):
        start += _written_attribute(number, name, value)
    inside = escape(element.text or "")
    for part in element:
        inside += written(part, namespace) + escape(part.tail or "")
    return f"{start}>{inside}</{local}>" if inside else f"{start}/>"


class Client(ClientXMPP):
    """Logs in without TLS, answers no subscription by itself, and tells every stanza."""

    def __init__(self, jid: str, password: str, address: str, plugins: list[str]) -> None:
        super().__init__(jid, password)
        self.enable_direct_tls = False
        self.enable_starttls = False
        self.enable_plaintext = True
        self.auto_authorize = None
        self.auto_subscribe = False
        self._where = address
        self._ends = False
        self["feature_mechanisms"].unencrypted_plain = True
        for name in plugins:
            self.register_plugin(name)
        for event in _TOLD:
            self.add_event_handler(event, lambda _, event=event: self._happened(event))

    def _happened(self, event: str) -> None:
        _tell(event=event)
        if event == "disconnected" and self._ends:
            asyncio.get_running_loop().stop()

    def _spawn_event(self, xml: Element) -> None:
        _tell(stanza=written(xml))
        super()._spawn_event(xml)

    def obey(self, order: dict[str, Any]) -> None:
        """Do what one line says; raises KeyError for an order it does not know."""
        {"connect": self._connect, "send": self._send, "disconnect": self._leave}[order["do"]](order)

    def _connect(self, order: dict[str, Any]) -> None:
        self.connect(self._where, 5222)

    def _send(self, order: dict[str, Any]) -> None:
        self.send_raw(order["xml"])

    def _leave(self, order: dict[str, Any]) -> None:
        self.disconnect()


async def _obey_lines(client: Client) -> None:
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        try:
            client.obey(json.loads(line))
        except Exception as problem:  # noqa: BLE001 - the test must hear of it, whatever it is
            _tell(event="refused", reason=repr(problem))


async def _run(jid: str, password: str, address: str, *plugins: str) -> None:
    await _obey_lines(Client(jid, password, address, list(plugins)))


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
