"""Whether a server says that it has verified the sender: its own header, and only from whom it may come."""

import pytest

from gateway.protocols.sip.message import Request
from plugins.legs.sip.marks import ASSERTED, TRUST, verified

EDGE = "ms-source-type=AutoFederation;ms-ep-fqdn=edge.corp.example;ms-source-verified-user=verified"


def request(*fields: tuple[str, str]) -> Request:
    """A request with these headers."""
    made = Request("MESSAGE", "sip:alice@corp.example")
    for name, value in fields:
        made.headers.add(name, value)
    return made


@pytest.mark.parametrize(
    ("fields", "through_edge", "mark"),
    [
        ([], False, None),
        ([(ASSERTED, "ms-source-verified-user=verified")], False, True),
        ([(ASSERTED, "MS-Source-Verified-User = Unverified")], False, False),
        ([(ASSERTED, "ms-source-verified-user=perhaps")], False, None),
        ([(ASSERTED, "ms-source-verified-user=verified;ms-source-verified-user=unverified")], False, None),
        ([(ASSERTED, "ms-source-verified-user=verified")] * 2, False, None),
        ([(TRUST, EDGE)], True, True),
        ([(TRUST, EDGE.replace("=verified", "=unverified"))], True, False),
        ([(TRUST, EDGE)], False, None),
        ([(ASSERTED, "ms-source-verified-user=verified")], True, None),
    ],
)
def test_marks(fields: list[tuple[str, str]], through_edge: bool, mark: bool | None) -> None:
    assert verified(request(*fields), through_edge) is mark
