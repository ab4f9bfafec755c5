"""Bytes as a conversation: pieces between NULs are what a peer sends, and what begins with '!' happens on our side."""

from attrs import define, field

from gateway.protocols.element import Element
from gateway.protocols.sip.faults import SipFault
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Refused
from gateway.protocols.sip.reader import StreamReader
from gateway.protocols.sip.session import Letter
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.user_agent import UserAgent
from gateway.protocols.sip.watching import NOTHING, Document
from gateway.protocols.sip.writer import serialise
from gateway.protocols.xmpp.dialback import Outcome
from gateway.protocols.xmpp.events import StartTls, StreamTerms, Verify
from tests.protocols.sip.talk import ALICE, BOB, PEER, SHOWN, TLS, agree, station
from tests.protocols.sip.test_sessions import OFFER, Everybody
from tests.protocols.xmpp.hosts import CORP, PARTNER, STRICT, initiating, receiving

TEXT = Document("text/plain", b"hi")
KEY = SubscriptionKey(ALICE, BOB)
MOST = 40
"""Pieces of one conversation."""


@define
class Ours:
    """Is a user agent that admits everybody, answers every MESSAGE and shows every watcher something."""

    agent: UserAgent = field(init=False)
    now: float = 0.0
    asked: list[Request] = field(factory=list)
    tag: str = ""

    def __attrs_post_init__(self) -> None:
        self.agent = UserAgent(station(mark="gw7", limit=30), Everybody())

    def act(self, word: bytes) -> None:
        """Does what a word behind '!' says: a number of seconds passes, the peer answers with a status, or a letter."""
        if word.isdigit() and len(word) < 5:
            self.now += float(word)
        elif word[:1] == b"=" and word[1:4].isdigit() and 100 <= int(word[1:4]) <= 699 and self.asked:
            self.answered(int(word[1:4]))
        else:
            self.user(word)

    def user(self, word: bytes) -> None:
        agent, now = self.agent, self.now
        try:
            match word:
                case b"m":
                    agent.pager.send(ALICE, BOB, TEXT, 1, now)
                case b"i":
                    agent.sessions.send(ALICE, BOB, Letter(TEXT, 2), now)
                case b"e":
                    agent.sessions.end(ALICE, BOB, now)
                case b"s" | b"f":
                    agent.subscriber.subscribe(KEY, now, 600 if word == b"s" else 0)
                case b"u":
                    agent.subscriber.unsubscribe(KEY, now)
                case b"p":
                    agent.publisher.publish(ALICE, SHOWN, now)
                case b"r":
                    agent.publisher.remove(ALICE, now)
                case b"x":
                    for watch in agent.notifier.subscriptions(ALICE, BOB):
                        agent.notifier.end(watch, "rejected", NOTHING, now)
                case b"l":
                    agree(agent, agent.flow_lost(TLS, now), now)
                case b"o":
                    agent.probe(ALICE, BOB, 3, now)
        except Refused:
            return

    def answered(self, status: int) -> None:
        """Lets the peer answer our latest request."""
        asked = self.asked[-1]
        made = asked.reply(status, to_tag="far" if asked.to.tag is None else None)
        made.headers.set("Contact", f"<{PEER}>")
        if asked.method == "INVITE" and status == 200:
            made.headers.set("Content-Type", "application/sdp")
            made.body = OFFER
        self.hear(made)

    def hear(self, message: Request | Response) -> None:
        agree(self.agent, self.agent.received(message, TLS, {"partner.example"}, self.now), self.now)

    def settle(self) -> None:
        agree(self.agent, self.agent.tick(self.now), self.now)
        for send in self.agent.take_output():
            assert serialise(send.message)
            if isinstance(send.message, Request):
                self.asked.append(send.message)
            else:
                self.tag = send.message.to.tag or self.tag
        when = self.agent.next_timer()
        assert when is None or when > self.now


def talk(octets: bytes) -> None:
    """Lets a peer say anything to a user agent: nothing is raised, and all that it sends can be written.

    In what the peer says, `OURTAG` and `OURCALL` stand for the tag and the Call-ID that we used last.
    """
    ours = Ours()
    for piece in octets.split(b"\x00")[:MOST]:
        if piece[:1] == b"!":
            ours.act(piece[1:])
        else:
            last = ours.asked[-1] if ours.asked else None
            tag = (last.from_.tag if last is not None and b"OURCALL" in piece else ours.tag) or "none"
            piece = piece.replace(b"OURTAG", tag.encode())
            piece = piece.replace(b"OURCALL", last.call_id.encode() if last is not None else b"none")
            try:
                events = StreamReader().feed(piece)
            except SipFault as fault:
                events = [*fault.before]
            for event in events:
                if isinstance(event, Request | Response):
                    ours.hear(event)
                    ours.settle()
        ours.settle()


def negotiate(octets: bytes) -> None:
    """Lets a peer say anything to a stream: nothing is raised, and no stanza of somebody unproven comes out.

    The first byte says which role and terms; a piece of `!t` proves the peer by TLS, `!h` lets the stream sleep.
    """
    flags, octets = (octets[0] if octets else 0), octets[1:]
    terms = StreamTerms(require_tls=False, dialback=True) if flags & 2 else STRICT
    stream = (initiating if flags & 1 else receiving)(terms, secure=bool(flags & 4))
    for piece in octets.split(b"\x00")[:MOST]:
        if piece == b"!h":
            stream.hibernate()
            continue
        over = stream.finished
        events = stream.receive(piece, 1.0)
        assert not over or (events, stream.take_output()) == ([], b"")
        stream.take_output()
        for event in events:
            if isinstance(event, Element):
                assert (PARTNER, CORP) in stream.pairs and str(event.get("from")).partition("/")[0].endswith(PARTNER)
            elif isinstance(event, StartTls):
                stream.tls_established(frozenset({PARTNER}) if flags & 8 else frozenset())
            elif isinstance(event, Verify) and not flags & 1:
                stream.verification_finished(event.local, event.remote, Outcome.VALID if flags & 8 else Outcome.INVALID)
