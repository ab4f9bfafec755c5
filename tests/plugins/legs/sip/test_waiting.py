"""Contacts who wait for one of our people, as our own server's watcher information tells it (RFC 3857, 3858)."""

import pytest

from gateway.model.subscription import State
from gateway.protocols.sip.message import Request
from gateway.protocols.winfo import Watcher, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus, write_winfo
from tests.stage import ALICE as PERSON
from tests.stage import BOB as CONTACT

from .ocs_scene import ALICE, BOB, PIDF, Scene

WINFO = "application/watcherinfo+xml"
OPEN = (
    "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='x'>"
    "<tuple id='t'><status><basic>open</basic></status></tuple></presence>"
)


def document(
    status: str, event: str, uri: str = BOB, version: int = 0, full: bool = True, package: str = "presence"
) -> str:
    watcher = Watcher(uri, WatcherStatus(status), WatcherEvent(event), "w1")
    return write_winfo(WatcherInfo(version, full, (WatcherList(ALICE, package, (watcher,)),))).decode()


def waits(scene: Scene) -> tuple[Request, Request]:
    """Lets bob ask for alice, and our own server say that she has not decided; gives what it is asked for."""
    scene.house.roster._states.set(PERSON, CONTACT, State.NONE)
    scene.from_outside("SUBSCRIBE", b"", Event="presence")
    (asked,) = scene.asked_inside()
    sent = scene.notify(asked, PIDF, "", state="pending;expires=600")
    (winfo,) = [one for one in sent if isinstance(one, Request)]
    return asked, winfo


def state(scene: Scene) -> State:
    return scene.house.roster._states.state(PERSON, CONTACT)


def test_watcher_information_is_asked_for_in_the_persons_name_while_somebody_waits() -> None:
    scene = Scene("company")
    _, winfo = waits(scene)
    assert (winfo.method, winfo.uri, str(winfo.from_.uri)) == ("SUBSCRIBE", ALICE, ALICE)
    assert (winfo.headers.get("Event"), winfo.headers.get("Accept")) == ("presence.winfo", WINFO)


def test_it_is_not_asked_for_when_she_agrees_at_once() -> None:
    scene = Scene("company")
    scene.house.roster._states.set(PERSON, CONTACT, State.NONE)
    scene.from_outside("SUBSCRIBE", b"", Event="presence")
    (asked,) = scene.asked_inside()
    sent = scene.notify(asked, PIDF, OPEN)
    assert not [one for one in sent if isinstance(one, Request)]


@pytest.mark.parametrize(
    ("status", "event", "after"),
    [
        ("active", "approved", State.FROM),
        ("active", "subscribe", State.FROM),
        ("terminated", "approved", State.FROM),
        ("terminated", "rejected", State.NONE),
        ("terminated", "timeout", State.NONE_IN),
        ("pending", "subscribe", State.NONE_IN),
        ("waiting", "timeout", State.NONE_IN),
    ],
)
def test_what_she_decides_reaches_the_contact(status: str, event: str, after: State) -> None:
    scene = Scene("company")
    _, winfo = waits(scene)
    assert state(scene) is State.NONE_IN
    scene.notify(winfo, WINFO, document(status, event))
    assert state(scene) is after
    states = [one.headers.get("Subscription-State") for one in scene.outside.taken() if isinstance(one, Request)]
    assert (after is State.NONE) is any("rejected" in (one or "") for one in states)


def test_who_waits_and_was_given_up_by_the_server_is_asked_for_again() -> None:
    scene = Scene("company")
    asked, winfo = waits(scene)
    scene.notify(asked, PIDF, "", state="terminated;reason=giveup;retry-after=86000")
    sent = scene.notify(winfo, WINFO, document("waiting", "giveup"))
    (again,) = [one for one in sent if isinstance(one, Request)]
    assert (again.uri, str(again.from_.uri), again.headers.get("Event")) == (ALICE, BOB, "presence")
    assert again.call_id != asked.call_id


@pytest.mark.parametrize(
    "body",
    [
        document("active", "approved", uri="sip:eve@stranger.example"),
        document("active", "approved", uri="sip:carol@partner.example"),
        document("active", "approved", package="dialog"),
        document("active", "approved")
        .replace(f'resource="{ALICE}"', "")
        .replace(f"resource='{ALICE}'", "resource='sip:x@y'"),
        "<x",
    ],
)
def test_what_is_about_others_changes_nothing(body: str) -> None:
    scene = Scene("company")
    _, winfo = waits(scene)
    scene.notify(winfo, WINFO, body)
    assert state(scene) is State.NONE_IN


def test_a_document_that_was_missed_is_asked_for() -> None:
    scene = Scene("company")
    _, winfo = waits(scene)
    scene.notify(winfo, WINFO, document("pending", "subscribe"))
    sent = scene.notify(winfo, WINFO, document("active", "approved", version=2, full=False))
    (again,) = [one for one in sent if isinstance(one, Request)]
    assert again.call_id == winfo.call_id and again.to.tag and state(scene) is State.NONE_IN
    scene.notify(winfo, WINFO, document("active", "approved", version=1, full=False))
    assert state(scene) is State.FROM


def test_nobody_waits_any_more_and_it_ends() -> None:
    scene = Scene("company")
    asked, winfo = waits(scene)
    scene.notify(winfo, WINFO, document("pending", "subscribe"))
    sent = scene.notify(asked, PIDF, OPEN)
    (ended,) = [one for one in sent if isinstance(one, Request)]
    assert (ended.headers.get("Event"), ended.headers.get("Expires")) == ("presence.winfo", "0")


def test_a_server_that_does_not_tell_is_not_asked_again_soon() -> None:
    scene = Scene("company")
    asked, winfo = waits(scene)
    scene.inside.hear(winfo.reply(489, to_tag="s"))
    scene.turn()
    sent = scene.notify(asked, PIDF, "", state="pending;expires=600")
    assert not [one for one in sent if isinstance(one, Request)] and state(scene) is State.NONE_IN
