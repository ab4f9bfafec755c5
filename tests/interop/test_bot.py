"""People see and change who sees what of them by writing to the bot from a real client; contacts feel it at once."""

import re
from collections.abc import Iterator

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import READY, configuration, inside_trust, of, partner, run, table, until

pytestmark = pytest.mark.interop

ALICE, BOB, CAROL = "alice@corp.example", "bob@partner.example", "carol@ally.example"


@frozen
class Scene:
    """Alice with the bot, bob whom she knows, and carol who does not know her yet."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client
    carol: Client
    bot: str
    component: bool

    def known_as(self, contact: str) -> str:
        """The name under which alice's server knows a contact."""
        return contact.replace("@", "\\40") + "@gateway.corp.example" if self.component else contact

    def say(self, text: str) -> str:
        """Alice writes to the bot; gives its answer."""
        mark = self.alice.mark()
        self.alice.message(self.bot, text)
        return self.alice.wait_for(of(self.bot, "message"), after=mark).text("body")


@pytest.fixture(scope="module", params=["server", "component"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The gateway beside a Prosody, as the server of all others or as its component."""
    with Lab(tmp_path_factory.mktemp("bot")) as lab:
        component = request.param == "component"
        name = "gateway.corp.example"
        bot = f"access@{name}" if component else "access@gateway.example"
        own = {"kind": "xmpp-component", "connect": "127.0.0.10:5347", "name": name, "secret": "shared"}
        sections = (
            table("bot", address=bot),
            table("ledger", on=True),
            partner("partner.example"),
            partner("ally.example"),
        )
        config = configuration(lab, *sections, inside=table("inside", **own) if component else "", level="public")
        users = {"alice": "pw"}
        if component:
            lab.prosody("corp.example", users=users, components={name: "shared"})
            gateway = lab.gateway(config, ready=READY.replace("readyz", "healthz"))
        else:
            gateway = lab.gateway(config, ready=READY)
            lab.prosody("corp.example", users=users, view="inside", trust=inside_trust(lab, gateway))
        lab.prosody("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
        lab.ready()
        until(lambda: lab.http(READY)[0] == 200, "ready", 15.0)
        yield Scene(lab, gateway, *lab.online(ALICE, BOB, CAROL), bot, component)


def test_the_bot_answers_whoever_writes_and_is_there_for_who_subscribes(scene: Scene) -> None:
    assert "who - everybody outside" in scene.say("help")
    scene.alice.subscribe(scene.bot)
    scene.alice.wait_for(of(scene.bot, type="subscribed"))
    scene.alice.wait_for(of(scene.bot))


def test_a_level_is_shown_then_saved_then_felt(scene: Scene) -> None:
    alice, bob = scene.alice, scene.bob
    bob.subscribe(ALICE)
    alice.wait_for(of(scene.known_as(BOB), type="subscribe"))
    alice.approve(scene.known_as(BOB))
    alice.presence("dnd", "Budget call")
    assert bob.wait_for("presence[show='dnd']").text("status") == ""
    assert "New: note" in scene.say("bob company")
    mark = bob.mark()
    assert "has Company now" in scene.say("yes")
    assert bob.wait_for(of(ALICE), after=mark).text("status") == "Budget call"
    assert "note" in scene.say("bob show")
    assert BOB in scene.say("what left")


def test_block_looks_like_offline(scene: Scene) -> None:
    mark = scene.bob.mark()
    assert "Save?" in scene.say("bob block 2h")
    assert "is blocked until" in scene.say("yes")
    scene.bob.wait_for(of(ALICE, type="unavailable"), after=mark)
    entry = run(scene.gateway, "levels", "list", "--owner", ALICE)[0]
    assert (entry["level"], entry["origin"]) == ("blocked", "person") and entry["until"]


def test_a_stranger_is_asked_about_and_accepted_at_a_level(scene: Scene) -> None:
    alice, carol = scene.alice, scene.carol
    mark = alice.mark()
    carol.subscribe(ALICE)
    question = alice.wait_for(of(scene.bot, "message"), after=mark).text("body")
    assert CAROL in question and "asks to see you" in question
    assert "Company" in scene.say(f"accept {CAROL} company")
    assert "is accepted at Company" in scene.say("yes")
    carol.wait_for(of(ALICE, type="subscribed"))
    mark, asked = carol.mark(), alice.mark()
    carol.raw(f"<presence to='{ALICE}' type='probe'/>")  # as her server does whenever she comes
    carol.never(of(ALICE, type="unsubscribed"), 2.0, after=mark)
    assert not alice.stanzas(of(scene.known_as(CAROL), type="subscribe"), after=asked)
    alice.approve(scene.known_as(CAROL))
    assert carol.wait_for("presence[show='dnd']").text("status") == "Budget call"


def test_nobody_outside_reaches_the_bot_or_bears_its_name(scene: Scene) -> None:
    mark = scene.bob.mark()
    scene.bob.message(scene.bot, "who")
    assert scene.bob.wait_for(of(scene.bot, "message", type="error"), 15.0, after=mark)


COMMAND = "<command xmlns='http://jabber.org/protocol/commands' node='access'{session}{action}>{form}</command>"
DISCO = "<query xmlns='http://jabber.org/protocol/disco#{what}' node='http://jabber.org/protocol/commands'/>"


def test_the_form_is_found_and_changes_a_level(scene: Scene) -> None:
    alice, carol = scene.alice, scene.carol
    assert "http://jabber.org/protocol/commands" in str(alice.iq(scene.bot, DISCO.format(what="info")))
    assert "node='access'" in str(alice.iq(scene.bot, DISCO.format(what="items"))).replace('"', "'")
    shown = str(alice.iq(scene.bot, COMMAND.format(session="", action=" action='execute'", form=""), type="set"))
    assert CAROL in shown and "Company: availability" in shown
    session = re.search(r"sessionid=.([0-9a-f]+)", shown)
    assert session is not None
    fields = {"contact": CAROL, "level": "public", "until": "2h"}
    filled = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in fields.items())
    form = f"<x xmlns='jabber:x:data' type='submit'>{filled}</x>"
    mark = carol.mark()
    done = alice.iq(
        scene.bot,
        COMMAND.format(session=f" sessionid='{session[1]}'", action=" action='complete'", form=form),
        type="set",
    )
    assert "has Public now" in str(done) and "completed" in str(done)
    assert carol.wait_for(of(ALICE), after=mark).text("status") == ""


def test_the_form_tells_a_mistake_and_nobody_outside_is_offered_it(scene: Scene) -> None:
    form = "<x xmlns='jabber:x:data' type='submit'><field var='contact'><value>@@</value></field></x>"
    wrong = str(scene.alice.iq(scene.bot, COMMAND.format(session="", action="", form=form), type="set"))
    assert "That does not work" in wrong and "type='error'" in wrong.replace('"', "'")
    command = COMMAND.format(session="", action="", form="")
    assert scene.bob.iq(ALICE, command, type="set")["type"] == "error"
