"""Free and busy times and working hours in the category calendarData (reference/ocs.md 2.7), without whose they are."""

from base64 import b64encode
from typing import Final

from gateway.model.presence import FreeBusy, Slot, WorkingHours
from gateway.protocols.datetimes import write_datetime
from gateway.protocols.msrtc import names

_BITS: Final = {Slot.FREE: 0, Slot.TENTATIVE: 1, Slot.BUSY: 2, Slot.OUT_OF_OFFICE: 3}
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NO_CHANGE: Final = (
    "<Bias>0</Bias><Time>00:00:00</Time><DayOrder>0</DayOrder><Month>0</Month><DayOfWeek>Sunday</DayOfWeek>"
)


def write_free_busy(times: FreeBusy) -> str:
    """Writes quarters of an hour, two bits each, the first in the lowest bits of a byte."""
    octets = bytearray((len(times.slots) + 3) // 4)
    for place, slot in enumerate(times.slots):
        octets[place // 4] |= _BITS[slot] << place % 4 * 2
    head = f"<freeBusy startTime='{write_datetime(times.start)}' granularity='PT15M' encodingVersion='1'>"
    return _data(f"{head}{b64encode(octets).decode('ascii')}</freeBusy>")


def write_working_hours(hours: WorkingHours) -> str:
    """Writes the days and minutes; an offset from UTC as the minutes to add to reach UTC, the same all year."""
    days = " ".join(_DAYS[day] for day in hours.days)
    zone = ""
    if hours.zone:
        minutes = int(hours.zone[1:3]) * 60 + int(hours.zone[4:6])
        bias = minutes if hours.zone[0] == "-" else -minutes
        changes = f"<StandardTime>{_NO_CHANGE}</StandardTime><DaylightTime>{_NO_CHANGE}</DaylightTime>"
        zone = f"<TimeZone><Bias>{bias}</Bias>{changes}</TimeZone>"
    period = (
        f"<WorkingPeriod><DayOfWeek>{days}</DayOfWeek><StartTimeInMinutes>{hours.start}</StartTimeInMinutes>"
        f"<EndTimeInMinutes>{hours.end}</EndTimeInMinutes></WorkingPeriod>"
    )
    inside = f"{zone}<WorkingPeriodArray>{period}</WorkingPeriodArray>"
    return _data(f"<WorkingHours xmlns='{names.EXCHANGE}'>{inside}</WorkingHours>")


def _data(inside: str) -> str:
    return f"<calendarData xmlns='{names.CALENDAR}'>{inside}</calendarData>"
