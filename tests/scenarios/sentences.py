"""Every form of sentence, and what it does or claims."""

from collections.abc import Callable
from typing import Any

from gateway.demo.person import Person
from gateway.model.envelope import Problem
from gateway.model.message import ChatState, Message, MessageKind
from gateway.model.presence import OFFLINE, Activity, Field, Mood, Place, PresenceDocument, Show
from gateway.policy.published_info import PRESENCE_FIELDS

from .play import Item, Play, Untrue, sentence

HANDLINGS = {"accepted": "accept", "asked-about": "ask", "refused": "refuse"}
VALUES: dict[Field, Callable[[str], Any]] = {
    Field.AVAILABILITY: lambda text: True,
    Field.SHOW: Show,
    Field.NOTE: lambda text: (("", text),),
    Field.ACTIVITY: Activity,
    Field.MOOD: Mood,
    Field.LOCATION: lambda text: Place({"locality": text}),
    **dict.fromkeys((name for name in Field if name.value.startswith(("phone", "email", "url"))), lambda text: (text,)),
}
"""How the text in a sentence becomes a value; the other fields are texts."""


def value_of(item: Item) -> Any:
    """Gives the value that an item of a list stands for."""
    try:
        return VALUES.get(item.field, str)(item.value)
    except ValueError:
        raise Untrue(f"{item.value!r} is no {item.word}") from None


def names(document: PresenceDocument) -> str:
    """Lists the names of fields, for who has to find out what is wrong."""
    return ", ".join(name.value for name in Field if name in document) or "nothing"


def same(document: PresenceDocument, wanted: list[Item]) -> bool:
    """Says whether a document holds these fields, with these values where they are given, and nothing else."""
    if document.names != {item.field for item in wanted}:
        return False
    return all(document[item.field] == value_of(item) for item in wanted if item.value)


# -- the administrator's rules ------------------------------------------------------------------------------------


@sentence("the default level is {level}", setting=True)
async def default_level(play: Play, level: str) -> None:
    play.policy.default_level = level


@sentence("the partner {domain} has the ceiling {level}", setting=True)
async def ceiling(play: Play, domain: str, level: str) -> None:
    play.policy.partners.setdefault(domain, {})["ceiling"] = level


@sentence("the partner {domain} may exchange {list}", setting=True)
async def modalities(play: Play, domain: str, list: list[Item]) -> None:
    play.policy.partners.setdefault(domain, {})["modalities"] = [item.word for item in list]


@sentence("strangers at {domain} are {word}", setting=True)
async def strangers(play: Play, domain: str, word: str) -> None:
    if word not in HANDLINGS:
        raise Untrue(f"strangers are one of: {', '.join(HANDLINGS)}")
    play.policy.partners.setdefault(domain, {})["strangers"] = HANDLINGS[word]


@sentence("{domain} is no partner any more", setting=True)
async def no_partner(play: Play, domain: str) -> None:
    if play.policy.partners.pop(domain, None) is None:
        raise Untrue(f"{domain} was none")


@sentence("the administrator locks {list}", setting=True)
async def lock(play: Play, list: list[Item]) -> None:
    play.policy.locks += [item.field.value for item in list]


@sentence("the administrator unlocks {list}", setting=True)
async def unlock(play: Play, list: list[Item]) -> None:
    for item in list:
        play.policy.locks.remove(item.field.value)


@sentence("the administrator defines the level {level}: {list}", setting=True)
async def define_level(play: Play, level: str, list: list[Item]) -> None:
    play.policy.levels[level] = [item.field.value for item in list]


@sentence("the administrator gives {who} the level {level}")
async def give(play: Play, who: str, level: str) -> None:
    await play.on_stage.daemon.levels_set("alice@corp.example", who, level)


@sentence("the administrator gives {who} the level {level} in the eyes of everybody")
async def give_for_everybody(play: Play, who: str, level: str) -> None:
    await play.on_stage.daemon.levels_set("", who, level)


@sentence("the administrator takes back the level of {who}")
async def take_back(play: Play, who: str) -> None:
    await play.on_stage.daemon.levels_unset("alice@corp.example", who)


@sentence("the gateway restarts")
async def restart(play: Play) -> None:
    await play.on_stage.quiet()
    await play.on_stage.restart()


# -- publishing and seeing ----------------------------------------------------------------------------------------


@sentence("{person} publishes {list}")
async def publish(play: Play, person: Person, list: list[Item]) -> None:
    present = {item.field: value_of(item) for item in list if item.field in PRESENCE_FIELDS}
    person.card = person.card.with_fields(
        {item.field: value_of(item) for item in list if item.field not in PRESENCE_FIELDS}
    )
    if present:
        person.publish(person.present.with_fields({Field.AVAILABILITY: True, **present}))


@sentence("{person} no longer publishes {list}")
async def withdraw(play: Play, person: Person, list: list[Item]) -> None:
    gone = {item.field for item in list}
    person.publish(PresenceDocument({name: person.present[name] for name in person.present if name not in gone}))


@sentence("{person} goes offline")
async def go_offline(play: Play, person: Person) -> None:
    person.publish(OFFLINE)


@sentence("{person} sees of {other}: {list}")
async def sees(play: Play, person: Person, other: Person, list: list[Item]) -> None:
    await play.becomes(
        lambda: same(person.sees(other.address), list),
        lambda: f"{person.address.local} sees {names(person.sees(other.address))}, or other values",
    )


@sentence("{person} does not see of {other}: {list}")
async def does_not_see(play: Play, person: Person, other: Person, list: list[Item]) -> None:
    hidden = {item.field for item in list}
    await play.stays(
        lambda: not hidden & person.sees(other.address).names,
        lambda: f"{person.address.local} sees {names(person.sees(other.address))}",
    )


@sentence("{person} sees {other} offline")
async def sees_offline(play: Play, person: Person, other: Person) -> None:
    await play.becomes(
        lambda: not len(person.sees(other.address)),
        lambda: f"{person.address.local} sees {names(person.sees(other.address))}",
    )


@sentence("{person} reads on the card of {other}: {list}")
async def reads_card(play: Play, person: Person, other: Person, list: list[Item]) -> None:
    card = await play.answer(person.ask(other.address))
    if not isinstance(card, PresenceDocument):
        raise Untrue(f"he gets no card: {card.value}")
    if not same(card, list):
        raise Untrue(f"on the card are {names(card)}, or other values")


@sentence("{person} does not read on the card of {other}: {list}")
async def does_not_read_card(play: Play, person: Person, other: Person, list: list[Item]) -> None:
    card = await play.answer(person.ask(other.address))
    if not isinstance(card, PresenceDocument):
        raise Untrue(f"he gets no card at all: {card.value}")
    if card.names & {item.field for item in list}:
        raise Untrue(f"on the card are {names(card)}")


@sentence("{person} gets no card of {other}")
async def no_card(play: Play, person: Person, other: Person) -> None:
    card = await play.answer(person.ask(other.address))
    if card is not Problem.SERVICE_UNAVAILABLE:
        raise Untrue(f"he gets {names(card) if isinstance(card, PresenceDocument) else card.value}")


# -- subscriptions ------------------------------------------------------------------------------------------------


@sentence("{person} is subscribed to {other}")
async def subscribed(play: Play, person: Person, other: Person) -> None:
    person.subscribe(other.address)
    await play.on_stage.until(lambda: person.address in other.requests, f"{other.address.local} was never asked")
    other.approve(person.address)
    await play.on_stage.until(lambda: other.address in person.watching, f"{person.address.local} got no answer")
    await play.on_stage.quiet()


@sentence("{person} asks to see {other}")
async def asks(play: Play, person: Person, other: Person) -> None:
    person.subscribe(other.address)


@sentence("{person} is asked by {other}")
async def is_asked(play: Play, person: Person, other: Person) -> None:
    await play.becomes(lambda: other.address in person.requests, lambda: "nobody has asked")


@sentence("{person} is not asked by {other}")
async def is_not_asked(play: Play, person: Person, other: Person) -> None:
    await play.stays(lambda: other.address not in person.requests, lambda: "but so it is")


@sentence("{person} approves {other}")
async def approves(play: Play, person: Person, other: Person) -> None:
    person.approve(other.address)


@sentence("{person} refuses {other}")
async def refuses(play: Play, person: Person, other: Person) -> None:
    person.refuse(other.address)


@sentence("{person} stops watching {other}")
async def stops_watching(play: Play, person: Person, other: Person) -> None:
    person.unsubscribe(other.address)


@sentence("{person} has been accepted by {other}")
async def is_accepted(play: Play, person: Person, other: Person) -> None:
    await play.becomes(lambda: other.address in person.watching, lambda: "no yes has come")


@sentence("{person} has not been accepted by {other}")
async def is_not_accepted(play: Play, person: Person, other: Person) -> None:
    await play.stays(lambda: other.address not in person.watching, lambda: "but there was a yes")


# -- messages -----------------------------------------------------------------------------------------------------


@sentence("{person} writes to {other}: {text}")
async def writes(play: Play, person: Person, other: Person, text: str) -> None:
    person.say(other.address, text)


@sentence("{person} writes to {other} and wants a receipt: {text}")
async def writes_with_receipt(play: Play, person: Person, other: Person, text: str) -> None:
    person.say(other.address, text, receipt=True)


@sentence("{person} reads from {other}: {text}")
async def reads(play: Play, person: Person, other: Person, text: str) -> None:
    await play.becomes(
        lambda: play.take(person, other, lambda heard: heard.message.bodies == (("", text),)),
        lambda: "no such message has come",
    )


@sentence("{person} reads nothing from {other}")
async def reads_nothing(play: Play, person: Person, other: Person) -> None:
    await play.stays(lambda: not play.take(person, other, lambda heard: heard.message.bodies), lambda: "but he does")


@sentence("the message to {person} from {other} wants a receipt")
async def wants_receipt(play: Play, person: Person, other: Person) -> None:
    if not play.last[person.address, other.address].message.receipt_wanted:
        raise Untrue("it does not")


@sentence("the message to {person} from {other} wants no receipt")
async def wants_no_receipt(play: Play, person: Person, other: Person) -> None:
    if play.last[person.address, other.address].message.receipt_wanted:
        raise Untrue("it does")


@sentence("{person} confirms the message from {other}")
async def confirms(play: Play, person: Person, other: Person) -> None:
    number = play.last[person.address, other.address].message.id
    person.send(other.address, Message(MessageKind.CHAT, "receipt", receipt_for=number))


@sentence("{person} gets a receipt from {other}")
async def gets_receipt(play: Play, person: Person, other: Person) -> None:
    await play.becomes(
        lambda: play.take(person, other, lambda heard: heard.message.receipt_for), lambda: "none has come"
    )


@sentence("{person} gets no receipt from {other}")
async def gets_no_receipt(play: Play, person: Person, other: Person) -> None:
    await play.stays(
        lambda: not play.take(person, other, lambda heard: heard.message.receipt_for), lambda: "but he does"
    )


@sentence("{person} types to {other}")
async def types(play: Play, person: Person, other: Person) -> None:
    person.say(other.address, "", state=ChatState.COMPOSING)


@sentence("{person} sees {other} typing")
async def sees_typing(play: Play, person: Person, other: Person) -> None:
    await play.becomes(
        lambda: play.take(person, other, lambda heard: heard.message.chat_state is ChatState.COMPOSING),
        lambda: "nothing was said about typing",
    )


@sentence("{person} does not see {other} typing")
async def does_not_see_typing(play: Play, person: Person, other: Person) -> None:
    await play.stays(
        lambda: not play.take(person, other, lambda heard: heard.message.chat_state), lambda: "but he does"
    )


@sentence("{person} learns that it failed: {word}")
async def failed(play: Play, person: Person, word: str) -> None:
    def reasons() -> list[str]:
        return [bounce.problem.value for bounce in person.bounces] + person.refusals

    await play.becomes(lambda: word in reasons(), lambda: f"he has learned {', '.join(reasons()) or 'nothing'}")
    person.bounces.clear()
    person.refusals.clear()


@sentence("{person} learns of no failure")
async def nothing_failed(play: Play, person: Person) -> None:
    await play.stays(lambda: not person.bounces and not person.refusals, lambda: "but he does")
