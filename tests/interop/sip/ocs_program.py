"""A stand-in for an Office Communications Server 2007, just enough for the clients of its protocol; asks no password.

Runs as a program of its own, inside the namespace: python -m tests.interop.sip.ocs_program PLAN, a JSON object:
address, domain, users {name: contacts}, next_hop "tcp:ADDRESS:PORT" or "". Over TCP it registers its users, tells them
what they roam, keeps their categories and containers, notifies watchers of both sides with what their container
shows, and routes every other request: to a user of its own, or to the next hop. Tells each event as a JSON line.
"""

import asyncio
import json
import re
import sys
from typing import Any

from attrs import define, field

from .ocs_state import Presentity
from .wire import Framer, SipMessage, fresh, parameter, uri_of, written

_SELF = "application/vnd-microsoft-roaming-self+xml"
_CATEGORIES = "application/msrtc-event-categories+xml"
_SIGNED_IN = [
    (
        "Allow-Events",
        "vnd-microsoft-provisioning-v2,vnd-microsoft-roaming-contacts,vnd-microsoft-roaming-self,presence",
    ),
    ("Supported", "adhoclist"),
    ("Supported", "msrtc-event-categories"),
    ("ms-keep-alive", "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300"),
    ("Server", "RTC/3.5"),
]
_PROVISIONED = (
    '<provisionGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification">'
    '<provisionGroup name="ucPolicy"/></provisionGroupList>'
)
Headers = list[tuple[str, str]]


def _say(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


@define
class _Watch:
    """A subscription to presence: where its notifications go, and what their dialog is."""

    asked: SipMessage
    writer: asyncio.StreamWriter
    watcher: str
    targets: list[str]
    tag: str
    method: str
    cseq: int = 1


@define
class Stub:
    """The server of one domain.

    What its users roam it tells their clients, and whoever else asks in their name: a gateway that our test trusts.
    """

    address: str
    domain: str
    next_hop: str
    users: dict[str, Presentity]
    signed_in: dict[str, asyncio.StreamWriter] = field(factory=dict)
    watches: dict[tuple[str, str], _Watch] = field(factory=dict)
    roaming: dict[tuple[str, str], _Watch] = field(factory=dict)
    asked_by: dict[str, asyncio.StreamWriter] = field(factory=dict)
    _onward: asyncio.StreamWriter | None = None

    # transport

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one connection to its end."""
        framer = Framer()
        try:
            while chunk := await reader.read(65536):
                for raw in framer.feed(chunk):
                    await self._take(SipMessage(raw), writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _take(self, got: SipMessage, writer: asyncio.StreamWriter) -> None:
        try:
            if got.status:
                self._back(got)
            else:
                await self._request(got, writer)
        except Exception as problem:  # noqa: BLE001 - the test must hear of it, whatever it is
            _say(event="problem", reason=repr(problem), message=str(got))

    async def _next_hop(self) -> asyncio.StreamWriter | None:
        if not self.next_hop:
            return None
        if self._onward is None or self._onward.is_closing():
            _, host, port = self.next_hop.split(":")
            reader, self._onward = await asyncio.open_connection(host, int(port), local_addr=(self.address, 0))
            asyncio.get_running_loop().create_task(self.serve(reader, self._onward))
        return self._onward

    # routing

    def _back(self, got: SipMessage) -> None:
        """Pass a response to where its request came from."""
        writer = self.asked_by.get(got.branch)
        head, end, body = got.raw.partition(b"\r\n\r\n")
        head = re.sub(rb"\r\n(?:via|v)[ \t]*:[^\r]*(?:\r\n[ \t][^\r]*)*", b"", head, count=1, flags=re.IGNORECASE)
        if writer is not None:
            writer.write(head + end + body)

    async def _pass_on(self, got: SipMessage, writer: asyncio.StreamWriter) -> None:
        """Send a request on its way, with ourselves in Via and in the route of its dialog."""
        user = uri_of(f"<{got.uri}>").removeprefix("sip:").partition("@")[0]
        # the host of a user's contact is his machine, not the domain
        own = self.domain in got.uri or f"sip:{user}@{self.domain}" == got.receiver
        known = self.signed_in.get(f"sip:{user}@{self.domain}".lower())
        onward = known if own and known else None if own else await self._next_hop()
        if onward is None:
            if got.method != "ACK":
                writer.write(got.response(404, "Not Found", fresh()))
            return
        branch = f"z9hG4bK{fresh()}"
        self.asked_by[branch] = writer
        head, end, body = got.raw.partition(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        rest = re.sub(
            rb"(?im)^route:[^\r\n]*" + re.escape(self.address.encode()) + rb"[^\r\n]*\r\n", b"", rest + b"\r\n"
        )
        added = f"Via: SIP/2.0/TCP {self.address}:5060;branch={branch}\r\n"
        if got.method in ("INVITE", "SUBSCRIBE"):
            added += f"Record-Route: <sip:{self.address}:5060;transport=tcp;lr>\r\n"
        onward.write(first + b"\r\n" + added.encode() + rest.removesuffix(b"\r\n") + end + body)

    # what it serves itself

    async def _request(self, got: SipMessage, writer: asyncio.StreamWriter) -> None:
        sender, user = got.sender.lower(), self.users.get(got.receiver.lower())
        _say(
            event="request",
            method=got.method,
            sender=sender,
            receiver=got.receiver,
            type=got.content_type,
            body=got.text,
        )
        if got.method == "REGISTER":
            self._register(got, writer)
        elif got.method == "SERVICE":
            self._service(got, writer, self.users[sender])
        elif got.method == "SUBSCRIBE" and user is not None and got["event"].lower().startswith("vnd-microsoft"):
            self._roam(got, writer, user)
        elif got.method == "SUBSCRIBE" and got["event"].lower() == "presence" and user is not None:
            self._watch(got, writer)
        else:
            await self._pass_on(got, writer)

    def _register(self, got: SipMessage, writer: asyncio.StreamWriter) -> None:
        sender, expires = got.sender.lower(), got["expires"] or "600"
        if sender not in self.users:
            writer.write(got.response(404, "Not Found", fresh()))
            return
        self.signed_in[sender] = writer
        epid, uuid = parameter(got["from"], "epid"), re.search(r'urn:uuid:([^>"]+)', got["contact"])
        contact = f"{got['contact'].partition(';methods')[0]};expires={expires}"
        contact += f';+sip.instance="<urn:uuid:{uuid[1] if uuid else 0}>"'
        contact += f';gruu="{sender};opaque=user:epid:{epid};gruu"'
        headers = [("Expires", expires), ("Contact", contact), *_SIGNED_IN]
        writer.write(got.response(200, "OK", fresh(), headers))

    def _roam(self, got: SipMessage, writer: asyncio.StreamWriter, user: Presentity) -> None:
        event, ours = got["event"].lower(), f"application/{got['event'].lower()}+xml"
        if "roaming-contacts" in event:
            body = user.contact_list()
        elif "roaming-self" in event:
            body = user.roaming_self()
        elif "provisioning" in event:
            body, ours = _PROVISIONED, "application/vnd-microsoft-roaming-provisioning-v2+xml"
        else:
            writer.write(got.response(489, "Bad Event", fresh()))
            return
        tag = parameter(got["to"], "tag") or fresh()
        client = "ms-piggyback-first-notify" in got["supported"]
        if "roaming-self" in event:
            watch = _Watch(got, writer, user.uri, [], tag, "BENOTIFY" if client else "NOTIFY")
            self.roaming[(user.uri, got.call_id)] = watch
            if not client:
                self._open(watch, body, ours)
                if got["expires"] == "0":
                    del self.roaming[(user.uri, got.call_id)]
                return
        writer.write(got.response(200, "OK", tag, [*_accepted(got["event"]), ("Content-Type", ours)], body.encode()))

    def _service(self, got: SipMessage, writer: asyncio.StreamWriter, user: Presentity) -> None:
        if "category-publish" in got.content_type:
            body = user.roaming_self(user.publish(got.text))
            writer.write(got.response(200, "OK", fresh(), [("Content-Type", _SELF)], body.encode()))
            kept = [[*key, publication.xml] for key, publication in user.publications.items()]
            _say(event="published", user=user.uri, publications=kept)
        else:
            writer.write(got.response(200, "OK", fresh()))
        if "setContainerMembers" in got.text:
            user.set_members(got.text)
            members = {number: sorted(entries) for number, entries in user.members.items() if entries}
            _say(event="members", user=user.uri, members=members)
            for watch in self.roaming.values():
                if watch.watcher == user.uri:
                    self._notify(watch, user.roaming_self(), _SELF)
        for watch in self.watches.values():
            if user.uri in watch.targets:
                self._notify(watch, user.categories(watch.watcher), _CATEGORIES)

    # presence

    def _watch(self, got: SipMessage, writer: asyncio.StreamWriter) -> None:
        """Accept a subscription: a list of contacts by a client of its own, or one user by anybody."""
        listed = [uri.lower() for uri in re.findall(r'<resource uri="(sip:[^"]+)"', got.text)]
        targets, tag = listed or [got.receiver.lower()], parameter(got["to"], "tag") or fresh()
        ours = [uri for uri in targets if uri in self.users]
        client = "ms-piggyback-first-notify" in got["supported"] or bool(listed)
        watch = _Watch(got, writer, got.sender.lower(), ours, tag, "BENOTIFY" if client else "NOTIFY")
        # two clients that start in the same second draw the same Call-IDs
        self.watches[(watch.watcher, got.call_id)] = watch
        if not client:
            self._open(watch, self.users[targets[0]].categories(watch.watcher), _CATEGORIES)
            if got["expires"] == "0":
                del self.watches[(watch.watcher, got.call_id)]
            return
        kind, body = self._listing(watch, targets)
        headers = [*_accepted("presence"), ("Require", "eventlist"), ("Content-Type", kind)]
        writer.write(got.response(200, "OK", tag, headers, body.encode()))

    def _open(self, watch: _Watch, body: str, kind: str) -> None:
        """Answer a subscription of no client of its own, with the first notification behind the answer (RFC 6665)."""
        got = watch.asked
        route = [("Contact", f"<sip:{self.address}:5060;transport=tcp>"), ("Expires", got["expires"] or "3600")]
        watch.writer.write(got.response(200, "OK", watch.tag, route))
        self._notify(watch, body, kind)

    def _listing(self, watch: _Watch, targets: list[str]) -> tuple[str, str]:
        """The first word on a list: a document for each user of ours, for others the advice to ask them (RFC 4662)."""
        edge, parts, resources = f"b{fresh()}", [], []
        for number, uri in enumerate(targets):
            if uri not in self.users:
                resources.append(f'<resource uri="{uri}"><instance id="0" state="resubscribe"/></resource>')
                continue
            resources.append(f'<resource uri="{uri}"><instance id="0" state="active" cid="{number}@stub"/></resource>')
            parts.append((f"{number}@stub", _CATEGORIES, self.users[uri].categories(watch.watcher)))
        root = '<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:list" version="0" fullState="false">'
        parts.insert(0, ("root@stub", "application/rlmi+xml", f"{root}{''.join(resources)}</list>"))
        # libpurple cuts a part short unless an empty line ends it
        body = "".join(
            f"--{edge}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\n"
            f"Content-Type: {kind}\r\n\r\n{part}\r\n\r\n"
            for name, kind, part in parts
        )
        kind = f'multipart/related;type="application/rlmi+xml";start=<root@stub>;boundary={edge}'
        return kind, f"{body}--{edge}--\r\n"

    def _notify(self, watch: _Watch, body: str, kind: str) -> None:
        watch.cseq += 1
        asked = watch.asked
        remaining = "terminated;reason=timeout" if asked["expires"] == "0" else "active;expires=3600"
        branch = f"z9hG4bK{fresh()}"
        to = asked["to"] if parameter(asked["to"], "tag") else f"{asked['to']};tag={watch.tag}"
        headers: Headers = [
            ("Via", f"SIP/2.0/TCP {self.address}:5060;branch={branch}"),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in asked.all("record-route")),
            ("From", to),
            ("To", asked["from"]),
            ("Call-ID", asked.call_id),
            ("CSeq", f"{watch.cseq} {watch.method}"),
            ("Contact", f"<sip:{self.address}:5060;transport=tcp>"),
            ("Event", asked["event"]),
            ("Subscription-State", remaining),
            ("Content-Type", kind),
        ]
        target = uri_of(asked["contact"])
        _say(event="notified", watcher=watch.watcher, type=kind, body=body)
        watch.writer.write(written(f"{watch.method} {target} SIP/2.0", headers, body.encode()))


def _accepted(event: str) -> Headers:
    supported = "ms-benotify, ms-piggyback-first-notify"
    state = [("Subscription-State", "active;expires=3600"), ("ms-piggyback-cseq", "1"), ("Expires", "3600")]
    return [("Event", event), *state, ("Supported", supported)]


async def _run(plan: dict[str, Any]) -> None:
    domain = plan["domain"]
    users = {
        f"sip:{name}@{domain}": Presentity(f"sip:{name}@{domain}", tuple(contacts))
        for name, contacts in plan["users"].items()
    }
    stub = Stub(plan["address"], domain, plan["next_hop"], users)
    server = await asyncio.start_server(stub.serve, plan["address"], 5060)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
