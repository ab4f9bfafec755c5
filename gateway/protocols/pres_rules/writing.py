"""Writes presence rules: for any server that does what RFC 5025 says, and for Kamailio."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import frozen

from gateway.model.address import Address, ascii_domain
from gateway.model.rule_set import (
    EVER,
    Attribute,
    Condition,
    Grant,
    Identity,
    Many,
    One,
    Reach,
    Rule,
    Selection,
    Sphere,
    SubHandling,
    UserInput,
    Validity,
)
from gateway.protocols.datetimes import write_datetime
from gateway.protocols.pres_rules.identities import uri_for
from gateway.protocols.pres_rules.names import COMMON_POLICY, OWN, PRES_RULES
from gateway.protocols.xml_text import escape_attribute, escape_text

_HEAD: Final = "<?xml version='1.0' encoding='UTF-8'?>\n"
_SPACES: Final[Mapping[str, str]] = {"cp": COMMON_POLICY, "pr": PRES_RULES, "gw": OWN}
_HANDLINGS: Final = {
    SubHandling.BLOCK: "block",
    SubHandling.CONFIRM: "confirm",
    SubHandling.POLITE_BLOCK: "polite-block",
    SubHandling.ALLOW: "allow",
}
_INPUTS: Final = {UserInput.BARE: "bare", UserInput.THRESHOLDS: "thresholds", UserInput.FULL: "full"}


@frozen
class Holding:
    """Is what a rule for Kamailio is to hold one contact to."""

    contact: Address
    everything: bool
    """False blocks him politely: he sees nobody there."""


def write_rules(rules: Iterable[Rule]) -> bytes:
    """Writes rules as a document of RFC 5025, one rule a paragraph; `read_rules` gives the same rules back."""
    return _document(
        _rule(rule.id, "".join(map(_condition, rule.conditions)), rule.grant.handling, _transformations(rule.grant))
        for rule in rules
    )


def kamailio_rules(holdings: Iterable[Holding]) -> bytes:
    """Writes one rule for each contact, all or nothing, every permission said, none of them for more than one.

    There is no exception, no domain, no union and no part of a document that the server would have to leave out.
    """
    return _document(
        _rule(
            f"c{number}",
            _tag("cp:identity", _tag("cp:one", id=uri_for(one.contact))),
            SubHandling.ALLOW if one.everything else SubHandling.POLITE_BLOCK,
            "".join(_all_said(one.everything)),
        )
        for number, one in enumerate(holdings, 1)
    )


def _document(rules: Iterable[str]) -> bytes:
    inside = "".join(rules)
    declared = "".join(f" xmlns:{one}='{ns}'" for one, ns in _SPACES.items() if f"<{one}:" in inside or one == "cp")
    return f"{_HEAD}<cp:ruleset{declared}>\n{inside}</cp:ruleset>\n".encode()


def _rule(name: str, conditions: str, handling: SubHandling, transformations: str) -> str:
    return (
        f" <cp:rule id='{_attribute(name)}'>\n"
        f"  {_tag('cp:conditions', conditions)}\n"
        f"  {_tag('cp:actions', _tag('pr:sub-handling', _HANDLINGS[handling]))}\n"
        f"  {_tag('cp:transformations', transformations)}\n </cp:rule>\n"
    )


def _tag(name: str, inside: str = "", /, **attributes: str) -> str:
    said = "".join(f" {key}='{_attribute(value)}'" for key, value in attributes.items())
    return f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>"


def _attribute(text: str) -> str:
    return escape_attribute(text, replace_illegal=True)


def _condition(condition: Condition) -> str:
    match condition:
        case Identity(members):
            return _tag("cp:identity", "".join(map(_member, members)))
        case Validity(spans):
            pairs = ((write_datetime(min(one, EVER)) for one in span) for span in spans)
            inside = "".join(_tag("cp:from", start) + _tag("cp:until", end) for start, end in pairs)
            return _tag("cp:validity", inside)
        case Sphere(names):
            return _tag("cp:sphere", value=" ".join(sorted(names)))
        case Reach(network, below, outside):
            said = {"network": network} if network else {"below": ascii_domain(below)}
            return _tag("gw:outside" if outside else "gw:within", **said)
    return _tag("gw:never")


def _member(member: One | Many) -> str:
    if isinstance(member, One):
        return _tag("cp:one", id=uri_for(member.address) if member.address else "urn:example:nobody")
    inside = "".join(_tag("cp:except", domain=ascii_domain(one)) for one in sorted(member.except_domains))
    inside += "".join(_tag("cp:except", id=uri_for(one)) for one in sorted(member.except_addresses))
    return _tag("cp:many", inside, **({"domain": ascii_domain(member.domain)} if member.domain else {}))


def _transformations(grant: Grant) -> str:
    return "".join(_granted(grant))


def _granted(grant: Grant) -> Iterator[str]:
    yield _selection("services", grant.services, "service-uri")
    yield _selection("persons", grant.persons, "")
    yield _selection("devices", grant.devices, "deviceID")
    for attribute in Attribute:
        if attribute in grant.attributes:
            yield _tag(f"pr:provide-{attribute.value}", "true")
    if grant.user_input in _INPUTS:
        yield _tag("pr:provide-user-input", _INPUTS[grant.user_input])
    named = {*grant.unknown, *((OWN, one.value) for one in grant.fields)}
    for ns, name in sorted(named):
        yield _tag("pr:provide-unknown-attribute", "true", ns=ns, name=name)
    if grant.all_attributes:
        yield _tag("pr:provide-all-attributes")


def _selection(kind: str, chosen: Selection, uri: str) -> str:
    inside = _tag(f"pr:all-{kind}") if chosen.everything else ""
    for name, texts in (("occurrence-id", chosen.ids), ("class", chosen.classes), (uri, chosen.uris)):
        inside += "".join(_tag(f"pr:{name}", escape_text(one, replace_illegal=True)) for one in sorted(texts) if name)
    schemes = (escape_text(one, replace_illegal=True) for one in sorted(chosen.schemes))
    inside += "".join(_tag("pr:service-uri-scheme", one) for one in schemes)
    return _tag(f"pr:provide-{kind}", inside) if inside else ""


def _all_said(everything: bool) -> Iterator[str]:
    for kind in ("services", "persons", "devices"):
        yield _tag(f"pr:provide-{kind}", _tag(f"pr:all-{kind}") if everything else "")
    word = "true" if everything else "false"
    for attribute in Attribute:
        yield _tag(f"pr:provide-{attribute.value}", word)
    yield _tag("pr:provide-user-input", "full" if everything else "false")
    if everything:
        yield _tag("pr:provide-all-attributes")
