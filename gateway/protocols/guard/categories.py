"""Microsoft's categories read again before they leave (reference/ocs.md 2, 3.2)."""

from typing import Final

from gateway.protocols.guard.shape import (
    FREE,
    KINDS,
    Difference,
    Kind,
    Needed,
    check,
    matching,
    one_of,
    parse,
    read_table,
)

_SIP: Final = "http://schemas.microsoft.com/2006/09/sip/"
_PREFIXES: Final = {
    "": _SIP + "categories",
    "state": _SIP + "state",
    "note": _SIP + "note",
    "card": _SIP + "contactcard",
    "calendar": _SIP + "calendarData",
    "exchange": "http://schemas.microsoft.com/exchange/services/2006/types",
}
_TABLE: Final = """
categories @uri
  category @name=category @instance=number
    state:state @xsi:type=aggregate @lastActive=last
      availability #availability
      activity @token=word @minAvailability=number @maxAvailability=number : activity out_of_office
        custom @LCID=number #any : activity
      meetingSubject #any : meeting.subject
      meetingLocation #any : meeting.location
      endpointLocation #any : location
      device #device : device
    note:note
      body @type=note @uri=nothing #any
    card:contactCard
      identity
        name : display_name
          displayName #any
        email #any : email
      title #any : title
      company #any : company
      department #any : department
      office #any : office
      phone @type=phone
        uri #any
        displayString #any
      address @type=address
        street #any
        city #any
        state #any
        zipcode #any
        countryCode #any
    calendar:calendarData
      freeBusy @startTime=time @granularity=word @encodingVersion=number #base64 : free_busy
      exchange:WorkingHours : working_hours
        TimeZone
          Bias #number
          StandardTime
            Bias #number
            Time #word
            DayOrder #number
            Month #number
            DayOfWeek #word
          DaylightTime
            Bias #number
            Time #word
            DayOrder #number
            Month #number
            DayOfWeek #word
        WorkingPeriodArray
          WorkingPeriod
            DayOfWeek #days
            StartTimeInMinutes #number
            EndTimeInMinutes #number
"""
_NUMBERS: Final[dict[str, Needed]] = {
    "18500": FREE,
    "3500": frozenset({"availability"}),
    "5000": frozenset({"idle"}),
    "8000": frozenset({"idle"}),
    **dict.fromkeys(("6500", "7000", "9500", "15500"), frozenset({"show", "activity"})),
}
"""Numbers of availability, and what each tells beside that somebody is there."""


def _last(value: str) -> Needed | None:
    return None if KINDS["time"](value) is None else frozenset({"last_active"})


_KINDS: Final[dict[str, Kind]] = {
    **KINDS,
    "category": one_of(state="", note="", contactCard="", calendarData=""),
    "aggregate": matching("aggregateState"),
    "nothing": matching(""),
    "availability": _NUMBERS.get,
    "last": _last,
    "device": matching("computer|mobile|web"),
    "note": one_of(OOF="out_of_office", personal="note"),
    "phone": one_of(work="phone.work", mobile="phone.mobile", home="phone.home", other="phone.other"),
    "address": one_of(work="address.work", home="address.home"),
    "days": matching(r"[A-Za-z ]*"),
}
_SHAPES: Final = read_table(_TABLE, _PREFIXES, _KINDS)


def check_categories(body: bytes, entity: str, allowed: frozenset[str]) -> None:
    """Raises Difference when the categories of somebody hold what their reader may not see."""
    root = parse(body, "categories")
    shape = _SHAPES.get(str(root.tag))
    if shape is None or root.get("uri") != entity:
        raise Difference("categories/@uri")
    check(root, shape, allowed)
