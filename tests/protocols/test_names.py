"""Names on the wire, letter for letter: readers and writers share them, so only a table shows a slip."""

from gateway.protocols.msrtc import names as msrtc
from gateway.protocols.pidf import names as pidf

_PIDF = "urn:ietf:params:xml:ns:pidf"
_SIP = "http://schemas.microsoft.com/2006/09/sip/"


def test_the_names_of_presence_documents() -> None:
    """RFC 3863, 4479, 4480, 4481 and 4482; the old ones are of their drafts."""
    assert pidf.MEDIA_TYPE == "application/pidf+xml"
    assert {_PIDF, f"{_PIDF}:", "urn:ietf:params:xml:ns:cpim-pidf:1.0"} == pidf.PIDF_SPACES
    assert pidf.PIDF_SPACES | {f"{_PIDF}:data-model", f"{_PIDF}:person"} == pidf.MODEL_SPACES
    rpid = ("rpid", "rpid-status", "rpid-person", "rpid-tuple", "status:rpid", "status:rpid-status")
    assert {f"{_PIDF}:{name}" for name in rpid} == pidf.RPID_SPACES
    assert pidf.PIDF_SPACES | {f"{_PIDF}:cipid"} == pidf.CIPID_SPACES
    others = {"jabber:client", f"{_PIDF}:im"}
    assert pidf.MODEL_SPACES | pidf.RPID_SPACES | pidf.CIPID_SPACES | others == pidf.UNDERSTOOD
    assert {
        "dm": f"{_PIDF}:data-model",
        "rpid": f"{_PIDF}:rpid",
        "ci": f"{_PIDF}:cipid",
        "ts": f"{_PIDF}:timed-status",
    } == pidf.PREFIXES


def test_the_names_of_enhanced_presence() -> None:
    """MS-PRES and MS-SIP, as reference/ocs.md gives them."""
    spaces = (msrtc.CATEGORIES, msrtc.STATE, msrtc.NOTE, msrtc.CONTACT_CARD, msrtc.CALENDAR, msrtc.CONTAINERS)
    words = ("categories", "state", "note", "contactcard", "calendarData", "container-management")
    assert spaces == tuple(_SIP + word for word in words)
    assert (f"{_SIP}rich-presence", f"{_SIP}roaming-self") == (msrtc.PUBLISH, msrtc.ROAMING_SELF)
    assert msrtc.LEGACY == "http://schemas.microsoft.com/2002/09/sip/presence"
    assert msrtc.EXCHANGE == "http://schemas.microsoft.com/exchange/services/2006/types"
    assert msrtc.SCHEMA_INSTANCE == "http://www.w3.org/2001/XMLSchema-instance"
    types = (msrtc.CATEGORIES_TYPE, msrtc.PUBLISH_TYPE, msrtc.CONTAINERS_TYPE, msrtc.ROAMING_SELF_TYPE)
    assert types == (
        "application/msrtc-event-categories+xml",
        "application/msrtc-category-publish+xml",
        "application/msrtc-setcontainermembers+xml",
        "application/vnd-microsoft-roaming-self+xml",
    )
    assert msrtc.LEGACY_TYPE == "text/xml+msrtc.pidf"
