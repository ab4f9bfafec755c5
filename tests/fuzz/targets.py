"""What is fuzzed: functions of bytes that raise nothing but what a defect makes them raise."""

import contextlib
from collections.abc import Callable

from attrs import field, frozen

from gateway.errors import AddressError
from gateway.model.rule_set import Watcher
from gateway.policy.presence_rules import granted
from gateway.policy.rules_meant import TooMuch
from gateway.protocols.cpim import read_cpim, write_cpim
from gateway.protocols.im_body import ReadBody, Text, read_body
from gateway.protocols.msrtc.categories import compose, merge, read_categories, write_categories
from gateway.protocols.msrtc.container_lists import read_container_list
from gateway.protocols.msrtc.containers import read_publish, read_roaming_self, read_set_container_members
from gateway.protocols.msrtc.legacy import read_legacy
from gateway.protocols.pidf import read_pidf, write_pidf
from gateway.protocols.pres_rules import read_rules, write_rules
from gateway.protocols.sip import sdp
from gateway.protocols.sip.addressing import address_of, uri_of
from gateway.protocols.sip.dates import read_date
from gateway.protocols.sip.digest import Credentials, Digest
from gateway.protocols.sip.faults import SipFault, SipSyntaxError
from gateway.protocols.sip.headers import (
    CSeq,
    Headers,
    NameAddr,
    Via,
    parse_content_type,
    parse_token_params,
    split_list,
)
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import Malformed, StreamReader, read_datagram
from gateway.protocols.sip.uri import SipUri
from gateway.protocols.sip.writer import serialise
from gateway.protocols.winfo import read_winfo
from gateway.protocols.xml_document import DocumentError
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION
from gateway.protocols.xmpp.reader import Reader, XmlFault
from tests.fuzz.conversations import negotiate, talk
from tests.policy.rule_samples import NOW as RULES_NOW
from tests.policy.rule_samples import PEOPLE, meant
from tests.protocols.sip.talk import request

NOW = 1_795_000_000.0
ENTITY = "sip:alice@corp.example"


@frozen
class Target:
    """Is one target: what it runs, and the modules below gateway/protocols that it is to reach."""

    name: str
    run: Callable[[bytes], None] = field(repr=False)
    modules: tuple[str, ...]


def sip_reader(octets: bytes) -> None:
    """Reads a stream in one piece and byte by byte alike; what was read can be written and read again."""
    whole, fault = _fed(octets, max(1, len(octets)))
    assert (whole, fault) == _fed(octets, 1 if len(octets) < 600 else 97)
    for event in [*whole, read_datagram(octets)]:
        if isinstance(event, Request | Response):
            (again,) = StreamReader().feed(serialise(event))
            assert isinstance(again, type(event)) and again.body == event.body
        elif isinstance(event, Malformed) and event.request is not None:
            assert serialise(event.request.reply(event.status))


def sip_uri(octets: bytes) -> None:
    """Reads a URI; its canonical text stands for the same, and so does its address."""
    try:
        uri = SipUri.parse(octets.decode("utf-8", "surrogateescape"))
    except SipSyntaxError:
        return
    assert SipUri.parse(str(uri)) == SipUri.parse(str(SipUri.parse(str(uri))))
    assert uri.same_as(SipUri.parse(str(uri))) or uri.has_headers
    try:
        address = address_of(uri)
        assert address_of(SipUri.parse(str(uri_of(address)))) == address
    except AddressError:
        return


def sip_header(octets: bytes) -> None:
    """Reads a header value as each kind of value; what was read can be written and read again."""
    value = octets.decode("utf-8", "surrogateescape")
    for read in (NameAddr.parse, Via.parse, CSeq.parse):
        try:
            made = str(read(value))
        except SipSyntaxError:  # one with a control character in a quoted string can be read and not written
            continue
        assert str(read(made)) == made
    for take in (split_list, parse_token_params, parse_content_type):
        try:
            take(value)
        except SipSyntaxError:
            continue
    held = Headers([("Via", value), ("X-Own", value)])
    assert held.all("v") == split_list(value.strip(" \t"))
    held.set_first("Via", "first")
    assert (held.get("via") or "").startswith("first")
    held.set("x-own", "other")
    held.remove("VIA")
    assert (held.get("X-Own"), held.all("Via"), len(held)) == ("other", [], 1)


def sip_digest(octets: bytes) -> None:
    """Reads a challenge, one behind the other for a peer that is never satisfied; what answers it can be written."""
    value = octets.decode("utf-8", "replace")
    read_date(value)
    asking = Digest(Credentials("gateway", "secret", frozenset({"corp.example"})), lambda: "token")
    asked = request("MESSAGE")
    for tries in range(4):
        answer = asked.reply(401 if tries % 2 else 407)
        answer.headers.add("WWW-Authenticate" if tries % 2 else "Proxy-Authenticate", value)
        if asking.challenged(asked, answer, tries):
            assert tries < 2
            assert b"secret" not in serialise(asked)


def pidf(octets: bytes) -> None:
    """Reads a presence document; what it says can be written."""
    try:
        read = read_pidf(octets, NOW)
    except DocumentError:
        return
    for document in (read.document, *(one.document for one in read.tuples)):
        written = write_pidf(document, ENTITY, tuple_id="t1", now=NOW)
        assert read_pidf(written, NOW).document.available is document.available


def cpim(octets: bytes) -> None:
    """Reads a body as each type of instant message; the first line is the type, when it looks like one."""
    try:
        message = read_cpim(octets)
        assert read_cpim(write_cpim(message)).content == message.content
    except DocumentError:
        pass
    kind, _, body = octets.partition(b"\n")
    read: ReadBody = read_body(kind.decode("latin-1").strip(), "", body, NOW)
    if isinstance(read, Text):
        assert "\x00" not in read.text


def microsoft(octets: bytes) -> None:
    """Reads a document as each of Microsoft's, as watcher information and as a session description."""
    for read in (read_roaming_self, read_publish):
        try:
            read(octets, NOW)
        except DocumentError:
            continue
    for take in (read_set_container_members, read_legacy, read_winfo, sdp.read):
        try:
            take(octets)
        except (DocumentError, sdp.NotMessages, SipSyntaxError):
            continue
    try:
        document = compose(merge({}, read_categories(octets, NOW)))
    except DocumentError:
        return
    written = read_categories(write_categories(document, ENTITY), NOW)
    assert compose(merge({}, written)).available is document.available


def pres_rules(octets: bytes) -> None:
    """Reads rules and lists of containers; rules that are written mean what they meant, and some levels."""
    with contextlib.suppress(DocumentError):
        read_container_list(octets)
    try:
        read = read_rules(octets)
        again = read_rules(write_rules(read.rules))
        found = meant(read).entries
    except (DocumentError, TooMuch):
        return
    for person in PEOPLE:
        watcher = Watcher(person)
        assert granted(read.rules, watcher, RULES_NOW) == granted(again.rules, watcher, RULES_NOW)
    assert len({entry.member for entry in found}) == len(found)


def xmpp_reader(octets: bytes) -> None:
    """Reads an XMPP stream in one piece and byte by byte alike."""
    assert _parsed(octets, max(1, len(octets))) == _parsed(octets, 1 if len(octets) < 600 else 97)


def _fed(octets: bytes, size: int) -> tuple[list[object], bool]:
    reader, events = StreamReader(), []
    for start in range(0, len(octets), size):
        try:
            events += reader.feed(octets[start : start + size])
        except SipFault as fault:
            return [*events, *fault.before], True
    return events, False


def _parsed(octets: bytes, size: int) -> tuple[list[object], str | None]:
    reader, events = Reader(AFTER_AUTHENTICATION), []
    for start in range(0, len(octets), size):
        try:
            events += reader.feed(octets[start : start + size])
        except XmlFault as fault:
            events += fault.events
            return events, fault.condition if events else "before the header"  # its name depends on what is there
    return events, None


_DIALOG = (
    *("dialogs", "user_agent", "notifier", "subscriber", "subscribing", "watching", "sessions", "session", "pager"),
    *("publisher", "screening", "station", "transactions", "client_transaction", "server_transaction"),
)
TARGETS = (
    Target("sip_reader", sip_reader, ("sip/reader", "sip/head", "sip/message", "sip/validation", "sip/writer")),
    Target("sip_uri", sip_uri, ("sip/uri", "sip/addressing")),
    Target("sip_header", sip_header, ("sip/headers",)),
    Target("sip_digest", sip_digest, ("sip/digest", "sip/dates")),
    Target("pidf", pidf, ("pidf/reading", "pidf/contacts", "pidf/priorities", "rpid", "xml_document")),
    Target("cpim", cpim, ("cpim", "mime", "im_body", "imdn", "iscomposing", "html_text")),
    Target("microsoft", microsoft, ("msrtc/categories", "msrtc/containers", "msrtc/legacy", "msrtc/parts", "winfo")),
    Target(
        "pres_rules",
        pres_rules,
        ("pres_rules/reading", "pres_rules/writing", "pres_rules/identities", "msrtc/container_lists"),
    ),
    Target("sip_dialog", talk, tuple(f"sip/{name}" for name in _DIALOG)),
    Target("xmpp_reader", xmpp_reader, ("xmpp/reader", "xmpp/prolog")),
    Target(
        "xmpp_stream",
        negotiate,
        tuple(f"xmpp/{name}" for name in ("stream", "server_stream", "receiving", "initiating", "dialback")),
    ),
)
