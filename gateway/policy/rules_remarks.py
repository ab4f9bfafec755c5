"""What presence rules say that no access level can, line by line."""

from collections.abc import Iterator
from typing import Final

from gateway.model.rule_set import Attribute, Remark, Rule, RuleSet, Selection, Sphere, SubHandling, UserInput
from gateway.policy.presence_rules import CIPID, CLASSES, OF_PERSONS, OF_SERVICES, PRESENCE_SCHEMES

_NOBODY: Final = "no field says it: nobody sees it"
_ATTRIBUTES: Final = {
    Attribute.DEVICE_ID: _NOBODY,
    Attribute.PLACE_IS: _NOBODY,
    Attribute.PRIVACY: _NOBODY,
    Attribute.RELATIONSHIP: _NOBODY,
    Attribute.SPHERE: _NOBODY,
    Attribute.STATUS_ICON: _NOBODY,
}
_UNKNOWN: Final = frozenset(pair for permit in (*OF_PERSONS, *OF_SERVICES) for pair in permit.grant.unknown)
_CARD: Final = (CIPID, "card")


def inexpressible(rules: RuleSet) -> tuple[Remark, ...]:
    """Gives what could not be read in rules and what in them no level expresses, in the order of the lines."""
    found = [*rules.remarks, *(remark for rule in rules.rules for remark in _of_rule(rule))]
    return tuple(sorted(found, key=lambda remark: remark.line))


def _of_rule(rule: Rule) -> Iterator[Remark]:
    def remark(name: str, text: str, shown: str = "") -> Remark:
        return Remark(rule.lines.get(name, rule.line), rule.id, f"{shown or f'<{name}>'} {text}")

    if any(isinstance(condition, Sphere) for condition in rule.conditions):
        yield remark("sphere", "depends on what is not known here: the rule grants nothing")
    if rule.handled and rule.grant.handling is SubHandling.BLOCK:
        yield remark("sub-handling", "block is a refusal that can be seen; here the blocked see somebody offline")
    if rule.handled and rule.grant.handling is SubHandling.CONFIRM:
        yield remark("sub-handling", "confirm shows nothing until the person answers: give a level then")
    if rule.grant.handling is not SubHandling.ALLOW and not _grants(rule):
        return
    for attribute, text in _ATTRIBUTES.items():
        if attribute in rule.grant.attributes:
            yield remark(f"provide-{attribute.value}", text)
    if rule.grant.user_input is UserInput.BARE:
        yield remark("provide-user-input", "bare is less than 'idle' says, which has a time: left out")
    for ns, name in sorted(rule.grant.unknown - _UNKNOWN):
        why = "links to a card whose fields are not known: left out" if (ns, name) == _CARD else _NOBODY
        yield remark(f"{{{ns}}}{name}", why, f"the attribute {name[:80]} of {ns[:80]}")
    for kind, text in _selections(rule):
        yield remark(kind, text, f"<{kind.rpartition(' ')[2]}>")


def _grants(rule: Rule) -> bool:
    """Says whether it grants anything that counts where another rule allows the subscription."""
    return bool(rule.lines.keys() - {"sub-handling", "identity", "one", "many", "validity", "sphere"})


def _selections(rule: Rule) -> Iterator[tuple[str, str]]:
    """Gives what a rule says about single services, persons and devices: to us each person is one of each."""
    services, persons, devices = rule.grant.services, rule.grant.persons, rule.grant.devices
    if services.ids and not services.everything:
        yield "services occurrence-id", "means one service; all services of a person are one here: left out"
    if services.uris and not services.everything:
        yield "services service-uri", "means one service; all services of a person are one here: left out"
    if services.classes - CLASSES.keys() and not services.everything:
        yield "services class", "is none of the classes of telephone numbers (work, mobile, home, other): left out"
    if services.schemes - PRESENCE_SCHEMES - {"mailto", "tel"} and not services.everything:
        yield "services service-uri-scheme", "is a service that nothing here says: left out"
    if PRESENCE_SCHEMES & services.schemes and "sip" not in services.schemes and not services.everything:
        yield "services service-uri-scheme", "availability is given with sip only: left out"
    for name, word in (("class", "classes"), ("occurrence-id", "ids")):
        if getattr(persons, word) and not persons.everything:
            yield f"persons {name}", "means one description of a person; there is one here: left out"
    if devices != Selection():
        yield "provide-devices", "of a device nothing leaves but what kind it is: nobody sees it"
