"""Namespaces and media types of enhanced presence (reference/ocs.md 2.1, 3.1)."""

from typing import Final

_PREFIX: Final = "http://schemas.microsoft.com/2006/09/sip/"
CATEGORIES: Final = _PREFIX + "categories"
STATE: Final = _PREFIX + "state"
NOTE: Final = _PREFIX + "note"
CONTACT_CARD: Final = _PREFIX + "contactcard"
CALENDAR: Final = _PREFIX + "calendarData"
EXCHANGE: Final = "http://schemas.microsoft.com/exchange/services/2006/types"
CONTAINERS: Final = _PREFIX + "container-management"
PUBLISH: Final = _PREFIX + "rich-presence"
ROAMING_SELF: Final = _PREFIX + "roaming-self"
LEGACY: Final = "http://schemas.microsoft.com/2002/09/sip/presence"
SCHEMA_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"

CATEGORIES_TYPE: Final = "application/msrtc-event-categories+xml"
PUBLISH_TYPE: Final = "application/msrtc-category-publish+xml"
CONTAINERS_TYPE: Final = "application/msrtc-setcontainermembers+xml"
ROAMING_SELF_TYPE: Final = "application/vnd-microsoft-roaming-self+xml"
LEGACY_TYPE: Final = "text/xml+msrtc.pidf"
