"""The dialect of Office Communications Server at the desks: documents by Accept, headers, containers into levels."""

from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve

from gateway.model.envelope import Envelope, Side
from gateway.model.presence import Field, Presence, PresenceDocument, Show
from gateway.policy.access_level import STANDARD, Assignment, Member, Origin
from gateway.policy.partners import Lock, Partner
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.watching import Document
from gateway.protocols.sip.writer import serialise
from plugins.legs.sip import ocs
from plugins.legs.sip.ocs import ROAMING_SELF
from tests.protocols.sip.talk import line, request
from tests.stage import ALICE as PERSON
from tests.stage import BOB as CONTACT
from tests.stage import DESK, PARTNER

from .ocs_scene import ALICE, BOB, CATEGORIES, PIDF, ROAMING, Scene, categories, roaming, told

MICROSOFT = "application/msrtc-event-categories+xml, text/xml+msrtc.pidf, application/xpidf+xml, application/pidf+xml"
BATCH = b"""<batchSub xmlns="http://schemas.microsoft.com/2006/01/sip/batch-subscribe" uri="sip:bob@partner.example">
<action name="subscribe" id="1"><adhocList><resource uri="sip:carol@corp.example"/></adhocList>
<categoryList xmlns="http://schemas.microsoft.com/2006/09/sip/categorylist"><category name="calendarData"/>
</categoryList></action></batchSub>"""
BUSY = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.DND, Field.NOTE: (("", "Budget"),)})


def busy(scene: Scene) -> None:
    scene.house.receive(Envelope(DESK, CONTACT, Presence(BUSY), Side.INTERNAL))
    scene.turn()
    scene.outside.taken()


# -- outside ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "sees_note"), [("public", False), ("company", True)])
def test_who_names_categories_is_told_them_and_only_what_his_level_permits(level: str, sees_note: bool) -> None:
    scene = Scene(level)
    busy(scene)
    kind, text = scene.watch(MICROSOFT)
    assert kind == CATEGORIES
    assert "<availability>6500</availability>" in text and ("Budget" in text) is sees_note


@pytest.mark.parametrize("accept", [None, PIDF, "*/*", "application/*", f"{PIDF}, application/rlmi+xml"])
def test_everybody_else_is_told_pidf(accept: str | None) -> None:
    scene = Scene("company")
    busy(scene)
    kind, text = scene.watch(accept)
    assert kind == PIDF and "Budget" in text and "<activity>busy</activity>" not in text


def test_who_names_the_old_type_beside_pidf_finds_the_activity_where_he_looks() -> None:
    scene = Scene()
    busy(scene)
    kind, text = scene.watch(f"text/xml+msrtc.pidf, {PIDF}")
    assert kind == PIDF and ">busy</" in text


def test_who_reads_the_old_type_alone_is_told_what_we_write() -> None:
    scene = Scene()
    (answer,) = scene.from_outside("SUBSCRIBE", Event="presence", Accept="text/xml+msrtc.pidf")
    assert (line(answer), answer.headers.get("Accept")) == ("406 SUBSCRIBE", PIDF)


def test_the_list_in_a_batch_changes_nothing() -> None:
    plain, batched = Scene("company"), Scene("company")
    busy(plain)
    busy(batched)
    assert plain.watch(MICROSOFT) == batched.watch(MICROSOFT, BATCH)


def test_the_blocked_are_told_what_somebody_offline_shows() -> None:
    blocked, offline = Scene("blocked"), Scene("company")
    busy(blocked)
    assert blocked.watch(MICROSOFT) == offline.watch(MICROSOFT)


def test_an_answer_is_written_after_a_restart_as_before() -> None:
    scene = Scene()
    busy(scene)
    scene.watch(MICROSOFT)
    kept = scene.outside.desk.to_plain()
    again = Scene()
    again.outside.desk.restore([*kept])
    busy_now = Presence(BUSY)
    again.house.receive(Envelope(DESK, CONTACT, busy_now, Side.INTERNAL))
    assert again.shown()[0] == CATEGORIES


SPECIAL = {
    "ms-edge-proxy-message-trust": "ms-source-type=AutoFederation;ms-source-verified-user=verified;ms-ep-fqdn=secret",
    "ms-diagnostics": '1000;reason="secret";source="pool.corp.example"',
    "ms-client-diagnostics": "1000",
    "Ms-Conversation-ID": "secret",
    "ms-text-format": "text/plain;ms-body=c2VjcmV0",
    "Supported": "ms-benotify, ms-piggyback-first-notify, ms-sender, com.microsoft.autoextend",
    "P-Asserted-Identity": '"secret" <sip:secret@corp.example>',
}


def written(sent: Iterable[Request | Response]) -> bytes:
    return b"".join(map(serialise, sent)).lower()


@pytest.mark.parametrize(
    ("method", "fields", "body"),
    [
        ("SUBSCRIBE", {"Event": "presence", "Accept": MICROSOFT}, b""),
        ("SUBSCRIBE", {"Event": "vnd-microsoft-roaming-self"}, b""),
        ("MESSAGE", {"Content_Type": "text/plain; charset=UTF-8; msgr=c2VjcmV0"}, b"hi"),
        ("OPTIONS", {}, b""),
        ("SERVICE", {"Content_Type": "application/msrtc-setcontainermembers+xml"}, b"<x/>"),
        ("INVITE", {"Content_Type": "application/sdp"}, b"v=0\r\nm=message 5060 sip null\r\n"),
    ],
)
def test_nothing_of_microsofts_headers_goes_on_or_comes_back(method: str, fields: dict[str, str], body: bytes) -> None:
    scene = Scene("company")
    busy(scene)
    out = written(scene.from_outside(method, body, **fields, **SPECIAL))
    onward = written(scene.inside.taken())
    assert out
    for each in (out, onward):
        assert b"\r\nms-" not in each and b"ms-benotify" not in each and b"piggyback" not in each
        assert b"secret" not in each


def test_headers_of_our_own_server_do_not_leave() -> None:
    scene = Scene("company")
    fields = {"From_": f"<{ALICE}>;tag=a;epid=01ab", "To": f"<{BOB}>", "Content_Type": "text/plain"}
    scene.inside.hear(request("MESSAGE", BOB, b"hello", **fields, **SPECIAL))
    scene.turn()
    out = written(scene.outside.taken())
    assert out.startswith(b"message sip:bob@partner.example") and b"hello" in out
    assert b"\r\nms-" not in out and b"secret" not in out and b"epid" not in out


# -- inside ----------------------------------------------------------------------------------------------------------


def shown_inside(scene: Scene) -> Request:
    """Lets bob watch alice, and our own server show her as categories; gives the subscription to her presence."""
    scene.watch(MICROSOFT)
    (ask,) = scene.asked_inside()
    assert (ask.uri, ask.from_.uri.user) == (ALICE, "bob")
    scene.tell(ask, CATEGORIES, categories(6500, "Budget"))
    return ask


def containers_asked(scene: Scene) -> Request:
    """Like shown_inside; gives the subscription to her containers."""
    scene.watch(MICROSOFT)
    (ask,) = scene.asked_inside()
    sent = scene.notify(ask, CATEGORIES, categories(6500, "Budget"))
    assert [line(one) for one in sent] == ["200 NOTIFY", "SUBSCRIBE"]
    assert isinstance(sent[1], Request)
    return sent[1]


def test_our_own_server_may_show_categories_and_is_asked_for_nothing_unusual() -> None:
    scene = Scene("company")
    scene.watch(MICROSOFT)
    (ask,) = scene.asked_inside()
    assert ask.headers.get("Accept") == f"{PIDF}, {CATEGORIES}"
    assert not {"Supported", "Require", "Proxy-Require"} & {name for name, _ in ask.headers}
    scene.tell(ask, CATEGORIES, categories(6500, "Budget"))
    assert "Budget" in scene.shown(5.0)[1]
    scene.tell(ask, CATEGORIES, categories(3500))
    kind, text = scene.shown(5.0)
    assert kind == CATEGORIES and "<availability>3500<" in text and "Budget" not in text


def test_what_is_taken_away_by_name_is_gone_and_the_rest_stays() -> None:
    scene = Scene("company")
    ask = shown_inside(scene)
    space = "http://schemas.microsoft.com/2006/09/sip/categories"
    scene.tell(
        ask, CATEGORIES, f"<categories xmlns='{space}' uri='{ALICE}'><category name='note' instance='0'/></categories>"
    )
    text = scene.shown(6.0)[1]
    assert "<availability>6500<" in text and "Budget" not in text


def test_a_server_that_shows_pidf_is_not_asked_for_containers() -> None:
    scene = Scene()
    scene.watch(PIDF)
    (ask,) = scene.asked_inside()
    body = f"<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{ALICE}'>"
    body += "<tuple id='a'><status><basic>open</basic></status></tuple></presence>"
    assert scene.tell(ask, PIDF, body) == ["200 NOTIFY"]


def test_containers_are_asked_for_in_the_persons_name() -> None:
    ask = containers_asked(Scene())
    assert (ask.uri, str(ask.from_.uri), ask.headers.get("Event")) == (ALICE, ALICE, ROAMING_SELF)
    assert ask.headers.get("Accept") == ROAMING


def test_a_contact_moved_to_another_container_is_told_what_its_level_shows() -> None:
    scene = Scene("public")
    ask = containers_asked(scene)
    assert "Budget" not in scene.shown(5.0)[1]
    assert scene.tell(ask, ROAMING, roaming({200: ("user bob@partner.example",), 100: ("federated",)})) == [
        "200 NOTIFY"
    ]
    assert "Budget" in scene.shown(5.0)[1]
    scene.tell(ask, ROAMING, roaming({200: (), 32000: ("user bob@partner.example",)}))
    kind, text = scene.shown()  # what narrows does not wait for its turn
    assert kind == CATEGORIES and "<availability>18500<" in text and "Budget" not in text
    assert [entry.origin for entry in scene.assignments.of(PERSON)] == [Origin.CLIENT, Origin.CLIENT]


def test_who_is_in_no_container_any_more_has_what_the_house_gives() -> None:
    scene = Scene("public")
    ask = containers_asked(scene)
    scene.tell(ask, ROAMING, roaming({200: ("user bob@partner.example",)}))
    assert "Budget" in scene.shown(5.0)[1]
    scene.tell(ask, ROAMING, roaming({200: ()}))
    assert "Budget" not in scene.shown()[1] and scene.assignments.all() == []


def test_what_an_administrator_has_entered_stays() -> None:
    scene = Scene("public")
    entry = Assignment(PERSON, Member.parse(CONTACT), "public", Origin.ADMINISTRATOR)
    scene.assignments.set(entry)
    ask = containers_asked(scene)
    scene.tell(ask, ROAMING, roaming({400: ("user bob@partner.example", "domain partner.example")}))
    assert entry in scene.assignments.all() and len(scene.assignments.all()) == 2
    assert "Budget" not in scene.shown(5.0)[1]


@pytest.mark.parametrize(
    ("partner", "locks"),
    [(evolve(PARTNER, ceiling=STANDARD["public"].fields), ()), (PARTNER, (Lock(Field.NOTE),))],
    ids=["ceiling", "lock"],
)
def test_no_container_lifts_a_ceiling_or_a_lock(partner: Partner, locks: tuple[Lock, ...]) -> None:
    scene = Scene("public", partner, locks)
    ask = containers_asked(scene)
    scene.tell(ask, ROAMING, roaming({300: ("user bob@partner.example",)}))
    assert scene.house.pairs.of(PERSON, CONTACT).facts.level.name == "team"
    scene.tell(ask, ROAMING, roaming({32000: ("user bob@partner.example",)}))
    blocked = scene.shown(5.0)[1]
    assert "Budget" not in blocked and "<availability>18500<" in blocked
    scene.tell(ask, ROAMING, roaming({32000: (), 300: ("user bob@partner.example",)}))
    team = scene.shown(5.0)[1]
    assert "<availability>6500<" in team and "Budget" not in team


@pytest.mark.parametrize("body", ["", "<x/>", "<roamingData", roaming({})])
def test_what_says_nothing_about_containers_changes_nothing(body: str) -> None:
    scene = Scene("public")
    ask = containers_asked(scene)
    scene.tell(ask, ROAMING, roaming({32000: ("user bob@partner.example",)}))
    before = scene.assignments.all()
    assert scene.tell(ask, ROAMING, body) == ["200 NOTIFY"]
    assert before and scene.assignments.all() == before


def test_a_server_without_containers_is_not_asked_again_soon() -> None:
    scene = Scene()
    ask = containers_asked(scene)
    scene.inside.hear(ask.reply(489, to_tag="x"))
    (presence,) = tuple(scene.inside.agent.subscriber._all)  # noqa: SLF001
    assert presence.package == "presence"
    assert not scene.asked_inside()


def test_a_subscription_that_ends_begins_anew_with_all_containers() -> None:
    scene = Scene("public")
    ask = containers_asked(scene)
    scene.tell(ask, ROAMING, roaming({200: ("user bob@partner.example",)}))
    scene.inside.hear(ask.reply(200, to_tag="server"))
    scene.notify(ask, "", "", state="terminated;reason=deactivated")
    assert len(scene.assignments.all()) == 1
    scene.turn(60.0)
    again = next(one for one in scene.inside.taken() if isinstance(one, Request) and one.uri == ask.uri)
    assert again.headers.get("Event") == ROAMING_SELF
    scene.tell(again, ROAMING, roaming({100: ("federated",)}))
    assert [str(entry.member) for entry in scene.assignments.all()] == ["federation"]


def test_containers_are_not_refreshed_when_nobody_watches_any_more() -> None:
    scene = Scene("public")
    presence = shown_inside(scene)
    key = SubscriptionKey(ALICE, ALICE, ROAMING_SELF)
    assert scene.inside.desk.wanted(key)
    scene.notify(presence, "", "", state="terminated;reason=giveup")
    assert not scene.inside.desk.wanted(key)


# -- BENOTIFY --------------------------------------------------------------------------------------------------------


def test_benotify_of_our_own_server_is_read_and_never_answered() -> None:
    scene = Scene("company")
    ask = shown_inside(scene)
    scene.inside.taken()
    assert scene.tell(ask, CATEGORIES, categories(9500, "Review"), method="BENOTIFY") == []
    assert "Review" in scene.shown(6.0)[1]
    scene.inside.proven = frozenset({"other.example"})
    scene.tell(ask, CATEGORIES, categories(9500, "Forged"), method="BENOTIFY")
    assert "Forged" not in scene.shown(6.0)[1]
    stray: dict[str, str | None] = {"From_": f"<{ALICE}>;tag=x", "To": f"<{BOB}>;tag=nobody", "Event": "presence"}
    stray["Subscription_State"] = "active"
    scene.inside.hear(request("BENOTIFY", "sip:gw.corp.example:5061", b"", **stray))
    scene.turn()
    assert scene.inside.taken() == []


def watched_outside(scene: Scene) -> Request:
    """Lets alice's client watch bob; gives the subscription that his server is asked for."""
    fields = {"From_": f"<{ALICE}>;tag=a", "To": f"<{BOB}>", "Event": "presence", "Accept": MICROSOFT, "Expires": "600"}
    scene.inside.hear(request("SUBSCRIBE", BOB, b"", **fields, Contact="<sip:127.0.0.1:5060;transport=tcp>"))
    scene.turn()
    (ask,) = (one for one in scene.outside.taken() if isinstance(one, Request))
    scene.inside.taken()
    return ask


def test_a_partner_may_show_categories_and_our_client_is_told_them() -> None:
    scene = Scene()
    ask = watched_outside(scene)
    assert [line(one) for one in scene.notify(ask, CATEGORIES, categories(6500, "Lunch"), end=scene.outside)] == [
        "200 NOTIFY"
    ]
    scene.turn(5.0)
    kind, text = told(scene.inside.taken())
    assert kind == CATEGORIES and f"uri='{BOB}'" in text and "Lunch" in text


def test_benotify_from_outside_is_dropped_without_a_word() -> None:
    scene = Scene()
    ask = watched_outside(scene)
    assert scene.notify(ask, CATEGORIES, categories(6500, "Lunch"), "BENOTIFY", scene.outside) == []
    scene.turn(5.0)
    assert "Lunch" not in told(scene.inside.taken())[1]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda document, accept, entity, now: (document.with_fields({}), accept, entity, now), True),
        (lambda document, accept, entity, now: (document, accept, entity, now + 1.0), True),
        (lambda document, accept, entity, now: (document, accept, entity, now + 900.0), False),
        (lambda document, accept, entity, now: (document, (PIDF, "text/xml+msrtc.pidf"), entity, now), False),
        (lambda document, accept, entity, now: (document, (CATEGORIES,), entity, now), False),
        (lambda document, accept, entity, now: (document, accept, BOB, now), False),
        (
            lambda document, accept, entity, now: (
                document.with_fields({Field.NOTE: (("", "another"),)}),
                accept,
                entity,
                now,
            ),
            False,
        ),
    ],
)
def test_one_document_is_written_once_for_all_who_may_see_the_same(change: Any, same: bool) -> None:
    document = PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", "here"),), Field.IDLE: 0.0})
    writer = ocs.Writer()
    first = writer.write((PIDF,), document, ALICE, 1000.0)
    other, accept, entity, now = change(document, (PIDF,), ALICE, 1000.0)
    second = writer.write(accept, other, entity, now)
    assert (second is first) is same
    assert second == ocs.write_document(accept, other, entity, now)


def test_what_was_written_is_not_kept_for_ever() -> None:
    writer = ocs.Writer()
    here = PresenceDocument({Field.AVAILABILITY: True})
    first = writer.write((PIDF,), here, ALICE, 0.0)
    for number in range(ocs.MOST_WRITTEN):
        writer.write((PIDF,), here, f"sip:{number}@corp.example", 0.0)
    assert writer.write((PIDF,), here, ALICE, 0.0) is not first


def test_documents_that_show_the_same_fields_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the same hash; what is written for one is never given for the other, nor for another person."""
    written = []
    original = ocs.write_document

    def counted(*given: Any) -> Document:
        written.append(given)
        return original(*given)

    monkeypatch.setattr(ocs, "write_document", counted)
    writer, accept, alice, carol = ocs.Writer(), (ocs.PIDF,), "sip:alice@corp.example", "sip:carol@corp.example"
    one, two = (PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", note),)}) for note in ("one", "two"))
    assert hash(one) == hash(two) and one != two
    for person in (alice, carol, alice):
        for shown, note in ((one, b"one"), (two, b"two"), (one, b"one")):
            made = writer.write(accept, shown, person, 1.0).body
            assert b">%b<" % note in made and person.encode() in made
    before = len(written)
    same = PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", "one"),)})
    assert writer.write(accept, same, alice, 1.0) is writer.write(accept, one, alice, 1.0)
    assert len(written) == before, "what is equal is written once"
