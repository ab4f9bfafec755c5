"""Reads presence rules: what is not understood grants nothing, and is told with its line."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Final

from attrs import define, field

from gateway.errors import AddressError
from gateway.model.address import normal_domain
from gateway.model.presence import Field
from gateway.model.rule_set import (
    Attribute,
    Condition,
    Grant,
    Identity,
    Many,
    One,
    Reach,
    Remark,
    Rule,
    RuleSet,
    Selection,
    Sphere,
    SubHandling,
    Unknown,
    UserInput,
    Validity,
)
from gateway.protocols.datetimes import read_datetime
from gateway.protocols.element import Element
from gateway.protocols.pres_rules.identities import NoContact, address_in
from gateway.protocols.pres_rules.names import COMMON_POLICY, LIMITS, MOST_RULES, OWN, PRES_RULES
from gateway.protocols.texts import MAX_LINE
from gateway.protocols.xml_document import DocumentError, line_of, read_document

_HANDLINGS: Final = {
    "block": SubHandling.BLOCK,
    "confirm": SubHandling.CONFIRM,
    "polite-block": SubHandling.POLITE_BLOCK,
    "allow": SubHandling.ALLOW,
}
_INPUTS: Final = {
    "false": UserInput.NOTHING,
    "bare": UserInput.BARE,
    "thresholds": UserInput.THRESHOLDS,
    "full": UserInput.FULL,
}
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_SELECTIONS: Final = {"provide-services": "services", "provide-persons": "persons", "provide-devices": "devices"}
_PROPERTIES: Final[Mapping[str, Callable[[frozenset[str]], Selection]]] = {
    "class": lambda said: Selection(classes=said),
    "occurrence-id": lambda said: Selection(ids=said),
    "deviceID": lambda said: Selection(uris=said),
    "service-uri": lambda said: Selection(uris=said),
    "service-uri-scheme": lambda said: Selection(schemes=said),
}
_KINDS: Final[Mapping[str, Callable[[Selection], Grant]]] = {
    "services": lambda chosen: Grant(services=chosen),
    "persons": lambda chosen: Grant(persons=chosen),
    "devices": lambda chosen: Grant(devices=chosen),
}
_OF_KIND: Final = {
    "services": frozenset({"class", "occurrence-id", "service-uri", "service-uri-scheme"}),
    "persons": frozenset({"class", "occurrence-id"}),
    "devices": frozenset({"class", "occurrence-id", "deviceID"}),
}
_NETWORKS: Final = frozenset({"enterprise", "federation", "public_cloud"})
_FIELDS: Final = {one.value: one for one in Field}


class _Unreadable(ValueError):
    """Says why a condition is taken as one that never holds."""


def read_rules(body: bytes) -> RuleSet:
    """Reads a document of presence rules; raises DocumentError when it is none (RFC 4745, RFC 5025)."""
    root = read_document(body, LIMITS, placed=True)
    if (root.ns, root.name) != (COMMON_POLICY, "ruleset"):
        raise DocumentError("not a set of rules (RFC 4745)")
    rules: list[Rule] = []
    remarks: list[Remark] = []
    for child in root.elements():
        if (child.ns, child.name) != (COMMON_POLICY, "rule"):
            remarks.append(Remark(line_of(child), "", f"<{child.name[:80]}> is no rule: it grants nothing"))
        elif len(rules) >= MOST_RULES:
            raise DocumentError(f"more than {MOST_RULES} rules")
        else:
            reader = _Reader(child.attributes.get("id", "").strip()[:MAX_LINE])
            rules.append(reader.rule(child))
            remarks += reader.remarks
    return RuleSet(tuple(rules), tuple(remarks))


@define
class _Reader:
    """Reads one rule, and notes what it cannot."""

    id: str
    remarks: list[Remark] = field(factory=list)
    lines: dict[str, int] = field(factory=dict)
    handled: bool = False

    def rule(self, element: Element) -> Rule:
        conditions: list[Condition] = []
        grant = Grant()
        for part in element.elements():
            if part.ns != COMMON_POLICY or part.name not in ("conditions", "actions", "transformations"):
                self.remark(part, "is not understood: it grants nothing")
            elif part.name == "conditions":
                conditions += map(self.condition, part.elements())
            else:
                reads = self.action if part.name == "actions" else self.transformation
                grant = reduce(or_, map(reads, part.elements()), grant)
        return Rule(self.id, tuple(conditions), grant, line_of(element), self.lines, self.handled)

    def remark(self, element: Element, text: str) -> None:
        self.remarks.append(Remark(line_of(element), self.id, f"<{element.name[:80]}> {text}"))

    def at(self, element: Element, name: str = "") -> None:
        """Keeps the first line in which something is said."""
        self.lines.setdefault(name or element.name, line_of(element))

    # conditions

    def condition(self, element: Element) -> Condition:
        readers: Mapping[tuple[str, str], Callable[[Element], Condition]] = {
            (COMMON_POLICY, "identity"): self._identity,
            (COMMON_POLICY, "sphere"): _sphere,
            (COMMON_POLICY, "validity"): _validity,
            (OWN, "within"): _reach,
            (OWN, "outside"): _reach,
        }
        known = readers.get((element.ns, element.name))
        self.at(element)
        if known is None:
            self.remark(element, "is a condition that is not understood: the rule grants nothing")
            return Unknown(element.name)
        try:
            return known(element)
        except _Unreadable as problem:
            self.remark(element, f"cannot be read ({problem}): the rule grants nothing")
            return Unknown(element.name)

    def _identity(self, element: Element) -> Identity:
        members = []
        for child in element.elements():
            if child.ns != COMMON_POLICY or child.name not in ("one", "many"):
                self.remark(child, "is not understood: it matches nobody")
            else:
                members.append(self._one(child) if child.name == "one" else self._many(child))
        return Identity(tuple(members))

    def _one(self, element: Element) -> One:
        self.at(element)
        if next(element.elements(), None) is not None:
            self.remark(element, "has a restriction that is not understood: it matches nobody")
            return One(None)
        try:
            return One(address_in(element.attributes.get("id", "")))
        except NoContact:
            self.remark(element, "names an identity that no contact here can have: it matches nobody")
        except AddressError:
            self.remark(element, "names an identity that cannot be read: it matches nobody")
        return One(None)

    def _many(self, element: Element) -> One | Many:
        self.at(element)
        addresses, domains = set(), set()
        for child in element.elements():
            if child.ns != COMMON_POLICY or child.name != "except":
                self.remark(element, "has a restriction that is not understood: it matches nobody")
                return One(None)
            if not {"domain", "id"} & child.attributes.keys():
                raise _Unreadable("an exception names nobody")
            try:
                domains |= {_domain(said) for said in (child.attributes.get("domain"),) if said is not None}
                addresses |= {address_in(said) for said in (child.attributes.get("id"),) if said is not None}
            except NoContact:
                self.remark(child, "names an identity that no contact here can have: it leaves out nobody")
            except AddressError:
                raise _Unreadable("an exception is no identity and no domain") from None
        said = element.attributes.get("domain")
        try:
            return Many("" if said is None else _domain(said), frozenset(addresses), frozenset(domains))
        except AddressError:
            self.remark(element, "names a domain that cannot be read: it matches nobody")
            return One(None)

    # what is granted

    def action(self, element: Element) -> Grant:
        if (element.ns, element.name) != (PRES_RULES, "sub-handling"):
            self.remark(element, "is an action that is not understood: it grants nothing")
            return Grant()
        self.at(element)
        self.handled = True
        return Grant(_HANDLINGS[self._word(element, _HANDLINGS, "block")])

    def transformation(self, element: Element) -> Grant:
        self.at(element)
        name = element.name
        if element.ns == PRES_RULES:
            if name in _SELECTIONS:
                return self._selection(element, _SELECTIONS[name])
            if name == "provide-user-input":
                return Grant(user_input=_INPUTS[self._word(element, _INPUTS, "false")])
            if name == "provide-all-attributes":
                return Grant(all_attributes=not element.text.strip() or self._true(element))
            if name == "provide-unknown-attribute":
                return self._unknown(element) if self._true(element) else Grant()
            for attribute in Attribute:
                if name == f"provide-{attribute.value}":
                    return Grant(attributes=frozenset({attribute})) if self._true(element) else Grant()
        self.remark(element, "is not understood: it grants nothing")
        return Grant()

    def _word(self, element: Element, known: Iterable[str], otherwise: str) -> str:
        word = element.text.strip()
        if word in known:
            return word
        self.remark(element, f"has a value that is not understood: it counts as {otherwise}")
        return otherwise

    def _true(self, element: Element) -> bool:
        return _BOOLEANS[self._word(element, _BOOLEANS, "false")]

    def _unknown(self, element: Element) -> Grant:
        ns, name = (element.attributes.get(key, "").strip()[:MAX_LINE] for key in ("ns", "name"))
        self.at(element, f"{{{ns}}}{name}")
        if ns != OWN:
            return Grant(unknown=frozenset({(ns, name)}))
        if name not in _FIELDS:
            self.remark(element, "names a field that is not known: it grants nothing")
            return Grant()
        return Grant(fields=frozenset({_FIELDS[name]}))

    def _selection(self, element: Element, kind: str) -> Grant:
        chosen = Selection()
        for child in element.elements():
            if child.ns == PRES_RULES and child.name == f"all-{kind}":
                chosen |= Selection(everything=True)
            elif child.ns == PRES_RULES and child.name in _OF_KIND[kind]:
                self.at(child, f"{kind} {child.name}")
                said = child.text.strip()[:MAX_LINE]
                said = said.lower() if child.name == "service-uri-scheme" else said
                chosen |= _PROPERTIES[child.name](frozenset({said}))
            else:
                self.remark(child, "is not understood: it grants nothing")
        return _KINDS[kind](chosen)


def _domain(text: str) -> str:
    return normal_domain(text.strip())


def _sphere(element: Element) -> Sphere:
    return Sphere(frozenset(element.attributes.get("value", element.text).lower().split()))


def _validity(element: Element) -> Validity:
    return Validity(tuple(_spans(element.elements())))


def _spans(children: Iterator[Element]) -> Iterator[tuple[float, float]]:
    for first in children:
        second = next(children, None)
        if second is None or (first.ns, first.name, second.ns, second.name) != (
            *(COMMON_POLICY, "from"),
            *(COMMON_POLICY, "until"),
        ):
            raise _Unreadable("from and until stand in pairs")
        start, end = read_datetime(first.text), read_datetime(second.text)
        if start is None or end is None:
            raise _Unreadable("no date and time with an offset")
        yield start + ("." in first.text), end


def _reach(element: Element) -> Reach:
    network, below = element.attributes.get("network", ""), element.attributes.get("below", "")
    if bool(network) is bool(below) or (network and network not in _NETWORKS):
        raise _Unreadable("it names no class of network and no domain")
    try:
        return Reach(network, _domain(below) if below else "", element.name == "outside")
    except AddressError:
        raise _Unreadable("no domain") from None
