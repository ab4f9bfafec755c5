"""Peers that mean no good at the open door of the running gateway get a stream error and a closed door."""

import contextlib
import ssl
import time
from collections.abc import Iterator

import pytest

from .lab import Lab
from .peer import GATE, heard_to_the_end, opening, proven
from .scene import METRICS, READY, configuration, partner, until

pytestmark = pytest.mark.interop

_OPEN = opening("partner.example")
_QUESTION = (
    b"<iq type='get' id='q%d' from='bob@partner.example/x' to='alice@corp.example'>"
    b"<query xmlns='jabber:iq:version'/></iq>"
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The gateway alone, with little patience."""
    with Lab(tmp_path_factory.mktemp("hostile")) as built:
        limits = {"handshake_seconds": 1.0, "connections_per_address": 10}
        config = configuration(built, partner("partner.example", rates={}), limits=limits)
        config = config.replace("rates = {}\n", "[partner.rates]\nstanzas_per_second = 20.0\nburst_seconds = 1.0\n")
        built.gateway(config, ready=READY)
        yield built


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + _OPEN, b"restricted-xml"),
        (_OPEN + b"<!-- psst -->", b"restricted-xml"),
        (_OPEN + b"<?psst do?>", b"restricted-xml"),
        (_OPEN + _OPEN, b""),
        (_OPEN + b"<a><b></a>", b"not-well-formed"),
        (_OPEN.decode().encode("utf-16"), b""),
        (_OPEN.replace(b"<stream:stream", b"<?xml version='1.0' encoding='UTF-16'?><stream:stream"), b""),
        (_OPEN + b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>" + b"x" * 20_000, b"policy-violation"),
        (_OPEN + b"<a>" + b"<b/>" * 100, b""),
        (_OPEN.replace(b"corp.example", b"nowhere.example"), b"host-unknown"),
        (b"GET / HTTP/1.1\r\nHost: corp.example\r\n\r\n", b""),
        (_OPEN + b"<message from='eve@partner.example' to='alice@corp.example'><body>plain</body></message>", b""),
    ],
)
def test_stranger_before_authentication(lab: Lab, said: bytes, condition: bytes) -> None:
    with lab.connect(*GATE) as peer:
        peer.sendall(said)
        heard = heard_to_the_end(peer, 3.0)
    assert condition in heard
    assert b"<stream:error>" in heard or not heard, heard
    assert b"</stream:stream>" in heard or not heard, heard


def test_silent_stranger_is_not_waited_for(lab: Lab) -> None:
    with lab.connect(*GATE) as peer:
        began = time.monotonic()
        heard_to_the_end(peer, 8.0)
        assert 0.5 < time.monotonic() - began < 6.0


def test_one_address_gets_so_many_connections_and_no_more(lab: Lab) -> None:
    with contextlib.ExitStack() as open_doors:
        peers = [open_doors.enter_context(lab.connect(*GATE)) for _ in range(15)]
        refused = 0
        for peer in peers:
            peer.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                try:
                    refused += peer.recv(1) == b""
                except ConnectionResetError:
                    refused += 1
        assert 5 <= refused < 10  # one that has just left may still count


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        (b"<message to='alice@corp.example' from='bob@partner.example'><body>" + b"x" * 300_000, b"policy-violation"),
        (b"<message to='alice@corp.example' from='bob@partner.example'>" + b"<a>" * 500, b"policy-violation"),
        (b"<message to='alice@corp.example' from='bob@partner.example'>&lol;</message>", b"restricted-xml"),
        (_OPEN, b""),
        (b"<!-- psst -->", b"restricted-xml"),
    ],
)
def test_partner_that_breaks_the_rules(lab: Lab, said: bytes, condition: bytes) -> None:
    with proven(lab, "partner.example") as peer:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            peer.sendall(said)
        heard = heard_to_the_end(peer)
    assert b"<stream:error>" in heard and condition in heard, heard


def _limited(lab: Lab) -> float:
    series = 'gateway_rate_limited_total{limit="stanzas",partner="partner.example"} '
    lines = [line for line in lab.http(METRICS)[1].splitlines() if line.startswith(series)]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def test_partner_that_asks_too_much_is_answered_less(lab: Lab) -> None:
    with proven(lab, "partner.example") as peer:
        peer.sendall(b"".join(_QUESTION % place for place in range(200)))
        until(lambda: _limited(lab) >= 150, "most of the questions are over the limit")
    assert _limited(lab) <= 181


def test_gateway_is_well_after_all_this(lab: Lab) -> None:
    assert lab.http("http://127.0.0.1:8920/healthz")[0] == 200
    assert '"level":"error"' not in lab.gateways[0].log
    with proven(lab, "partner.example"):
        pass
