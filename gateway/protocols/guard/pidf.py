"""Presence documents read again before they leave (RFC 3863, 4479, 4480, 4481, 4482, 8048)."""

from typing import Final

from gateway.protocols.guard.shape import FREE, KINDS, Difference, Kind, Needed, check, one_of, parse, read_table

_PREFIXES: Final = {
    "": "urn:ietf:params:xml:ns:pidf",
    "dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "rpid": "urn:ietf:params:xml:ns:pidf:rpid",
    "ci": "urn:ietf:params:xml:ns:pidf:cipid",
    "ts": "urn:ietf:params:xml:ns:pidf:timed-status",
    "draft": "urn:ietf:params:xml:ns:pidf:status:rpid-status",
    "client": "jabber:client",
}
_TABLE: Final = """
presence @entity
  tuple @id=word
    status
      basic #basic
      client:show #show : show
      draft:activities
        draft:activity #draft : show
    rpid:class #class
    ts:timed-status @from=time @until=time : free_busy
      rpid:activities
        rpid:appointment
        rpid:busy
        rpid:away
    contact @priority #contact
    note @xml:lang=language #any : note out_of_office
  dm:person @id=word
    rpid:activities
      rpid:note #any : activity meeting.subject meeting.location
      rpid:away : show activity
      rpid:busy : show activity
      rpid:* #any : activity meeting.subject meeting.location
    rpid:mood : mood
      rpid:note #any
      rpid:* #any
    rpid:place-type : location
      rpid:other #any
    rpid:time-offset #number : time_zone
    rpid:user-input @last-input=last @idle-threshold=number #input : idle last_active
    ci:display-name #any : display_name
    ci:homepage #any : url
    dm:note @xml:lang=language #any : note out_of_office
  ci:display-name #any : display_name
"""
_EMAIL: Final = frozenset({"email"})
_PHONES: Final = frozenset({"phone.work", "phone.mobile", "phone.home", "phone.other"})
_LAST: Final = frozenset({"last_active"})


def _contact(value: str) -> Needed | None:
    """Takes the person's own address (compared with the entity afterwards), telephone numbers and e-mail."""
    scheme = value.partition(":")[0]
    return {"sip": FREE, "sips": FREE, "mailto": _EMAIL, "tel": _PHONES}.get(scheme)


def _last(value: str) -> Needed | None:
    return None if KINDS["time"](value) is None else _LAST


_KINDS: Final[dict[str, Kind]] = {
    **KINDS,
    "basic": one_of(open="availability", closed=""),
    "show": one_of(chat="", away="", xa="", dnd=""),
    "draft": one_of(busy="", away=""),
    "input": one_of(idle="", active="last_active"),
    "last": _last,
    "contact": _contact,
    "class": one_of(
        work="phone.work",
        mobile="phone.mobile",
        home="phone.home",
        other="phone.other",
        **dict.fromkeys(("bot", "console", "game", "handheld", "pc", "phone", "sms", "tablet", "web"), "device"),
    ),
}
_SHAPES: Final = read_table(_TABLE, _PREFIXES, _KINDS)
_TUPLE_CONTACT: Final = f"{{{_PREFIXES['']}}}contact"


def check_pidf(body: bytes, entity: str, allowed: frozenset[str]) -> None:
    """Raises Difference when a presence document about somebody holds what its reader may not see."""
    root = parse(body, "presence")
    shape = _SHAPES.get(str(root.tag))
    if shape is None or root.get("entity") != entity:
        raise Difference("presence/@entity")
    check(root, shape, allowed)
    for contact in root.iter(_TUPLE_CONTACT):
        text = contact.text or ""
        if text.startswith("sip") and text != entity:
            raise Difference("presence/tuple/contact")
