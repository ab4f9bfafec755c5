"""What presence rules grant a watcher (RFC 4745, RFC 5025), and which fields of published information that is."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Final

from attrs import evolve, frozen

from gateway.model.presence import Field
from gateway.model.rule_set import Attribute, Grant, Rule, Selection, SubHandling, UserInput, Watcher

PRESENCE_SCHEMES: Final = frozenset({"sip", "sips", "pres", "im", "xmpp"})
"""Schemes of the services at which a person's presence is."""
SCHEME: Final = "sip"
"""The scheme that a rule has to grant for AVAILABILITY: all services of a person are one here, reached at sip."""
CIPID: Final = "urn:ietf:params:xml:ns:pidf:cipid"
SHOW: Final = ("jabber:client", "show")
PHONES: Final = (Field.PHONE_WORK, Field.PHONE_MOBILE, Field.PHONE_HOME, Field.PHONE_OTHER)
CLASSES: Final[Mapping[str, Field]] = dict(zip(("work", "mobile", "home", "other"), PHONES, strict=True))
"""Class of a service (RFC 4480 section 3.2) to the telephone numbers that are in it."""


@frozen
class Permit:
    """Is one permission of RFC 5025: the fields it gives, and all that a server which grants it may show."""

    grant: Grant
    gives: frozenset[Field]
    shows: frozenset[Field]


def _permit(grant: Grant, gives: Iterable[Field], shows: Iterable[Field] = ()) -> Permit:
    given = frozenset(gives)
    return Permit(grant, given, given | frozenset(shows))


def _attribute(name: Attribute, *gives: Field) -> Permit:
    return _permit(Grant(attributes=frozenset({name})), gives)


def _unknown(ns: str, name: str, field: Field) -> Permit:
    return _permit(Grant(unknown=frozenset({(ns, name)})), (field,))


OF_PERSONS: Final = (
    _attribute(Attribute.ACTIVITIES, Field.ACTIVITY, Field.SHOW),
    _attribute(Attribute.MOOD, Field.MOOD),
    _attribute(Attribute.NOTE, Field.NOTE),
    _attribute(Attribute.PLACE_TYPE, Field.LOCATION),
    _attribute(Attribute.TIME_OFFSET, Field.TIME_ZONE),
    # Who is idle is shown as away by most clients.
    _permit(Grant(user_input=UserInput.THRESHOLDS), (Field.IDLE,), (Field.SHOW,)),
    _permit(Grant(user_input=UserInput.FULL), (Field.IDLE, Field.LAST_ACTIVE), (Field.SHOW,)),
    _unknown(CIPID, "display-name", Field.DISPLAY_NAME),
    _unknown(CIPID, "homepage", Field.URL),
    _unknown(CIPID, "icon", Field.PHOTO),
)
"""Permissions about what stands in a person: without `provide-persons` they give nothing."""

OF_SERVICES: Final = (_unknown(*SHOW, Field.SHOW),)
"""Permissions about what stands in the service at which a person's presence is."""

_CONTACTS: Final = (Field.EMAIL, *PHONES)

OF_CONTACTS: Final = (
    _permit(Grant(services=Selection(schemes=frozenset({"mailto"}))), (Field.EMAIL,)),
    _permit(Grant(services=Selection(schemes=frozenset({"tel"}))), PHONES),
    *(
        # A class may also be that of a service with another scheme.
        _permit(Grant(services=Selection(classes=frozenset({word}))), (name,), (Field.EMAIL,))
        for word, name in CLASSES.items()
    ),
)
"""Permissions for services that are an address or a number and no more."""


def granted(rules: Iterable[Rule], watcher: Watcher, now: float, sphere: str | None = None) -> Grant:
    """Gives what all rules that match grant together: nothing where none does (RFC 4745 section 10)."""
    return reduce(or_, (rule.grant for rule in rules if rule.matches(watcher, now, sphere)), Grant())


def fields_granted(grant: Grant) -> frozenset[Field]:
    """Gives the fields that a watcher sees of a grant; what is only partly granted is left out.

    `provide-all-attributes` is every attribute there is, those included that no presence document carries.
    """
    if grant.handling is not SubHandling.ALLOW:
        return frozenset()
    services = grant.services.everything or SCHEME in grant.services.schemes
    found = set(grant.fields) | {field for permit in _granted_contacts(grant) for field in permit.gives}
    if services:
        found.add(Field.AVAILABILITY)
        found |= _given(OF_SERVICES, grant)
        if grant.all_attributes or Attribute.CLASS in grant.attributes:
            found.add(Field.DEVICE)
    if grant.persons.everything:
        found |= _given(OF_PERSONS, grant)
        if services and grant.all_attributes:
            found |= frozenset(Field).difference(_CONTACTS)
    return frozenset(found)


def _given(permits: Iterable[Permit], grant: Grant) -> set[Field]:
    found = (permit for permit in permits if grant.all_attributes or _within(permit.grant, grant))
    return {field for permit in found for field in permit.gives}


def _granted_contacts(grant: Grant) -> Iterable[Permit]:
    return (permit for permit in OF_CONTACTS if grant.services.everything or _within(permit.grant, grant))


def _within(part: Grant, whole: Grant) -> bool:
    return part | whole == whole


def grant_for(fields: frozenset[Field]) -> Grant:
    """Gives the permissions for exactly these fields: those of RFC 5025 that show no more, the rest by name.

    A server that does not know the names shows less. Without AVAILABILITY there is no document, so nothing in it.
    """
    if Field.AVAILABILITY not in fields:
        return Grant(SubHandling.ALLOW, fields=fields)
    total = Grant(
        SubHandling.ALLOW,
        services=Selection(schemes=PRESENCE_SCHEMES),
        persons=Selection(everything=True),
    )
    for permit in (*OF_PERSONS, *OF_SERVICES, *OF_CONTACTS):
        if permit.shows <= fields:
            total |= permit.grant
    return evolve(total, fields=fields - fields_granted(total))
