"""Feedback: shown first, sent over TLS to the one who was named, to nobody else, and never written down."""

import io
import json
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.logger import LogLevel, globalLogPublisher

from gateway.config.informing import FeedbackTerms, MailTls, ScopedPeople
from gateway.config.values import Endpoint, Secret, Trust
from gateway.errors import CommandError, GatewayError
from gateway.log import LineObserver
from gateway.model.address import Address
from gateway.offices.feedback import Feedback
from gateway.records.telemetry import Machine
from tests.local_servers import HOST, Certified, MailServer, WebServer

CANARY = "canary-4711 grüße"
ALICE = "alice@corp.example"
IT = Address.parse("it@corp.example")
MACHINE = Machine("x86_64", 2, 4, "Linux 6.1")


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return Certified(tmp_path)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    observer = LineObserver(stream, True, LogLevel.debug)
    globalLogPublisher.addObserver(observer)
    yield stream
    globalLogPublisher.removeObserver(observer)


def told(terms: FeedbackTerms, now: Any = lambda: 0.0) -> Feedback:
    config: Any = SimpleNamespace(feedback=terms, domains=("corp.example",), inside=SimpleNamespace(KIND="xmpp-server"))
    return Feedback(lambda: config, lambda person: frozenset({"staff"}), reactor, now, MACHINE)


def mailed(server: MailServer, **changes: Any) -> FeedbackTerms:
    terms = FeedbackTerms(mail=IT, smtp=Endpoint(HOST, server.port), ca=Trust(False, server.certified.ca))
    return evolve(terms, **changes)


@pytest_twisted.async_yield_fixture
async def web(certified: Certified) -> AsyncIterator[WebServer]:
    server = WebServer(certified)
    yield server
    await server.close()


@pytest_twisted.ensureDeferred
async def test_nobody_named_is_off() -> None:
    with pytest.raises(CommandError, match="named nobody"):
        await told(FeedbackTerms()).say(CANARY, ALICE, True)


@pytest_twisted.ensureDeferred
async def test_it_is_shown_and_not_sent_until_it_is_said(certified: Certified) -> None:
    server = MailServer(certified)
    try:
        shown = await told(mailed(server)).say(CANARY, ALICE, False)
        assert not shown["sent"] and not server.heard
        for part in (f"From: {ALICE}", "Linux 6.1 x86_64", "xmpp-server", CANARY):
            assert part in shown["document"]
        assert shown["to"] == "it@corp.example"
    finally:
        server.close()


@pytest.mark.parametrize("implicit", [False, True])
@pytest_twisted.ensureDeferred
async def test_what_was_shown_goes_over_tls_and_into_no_log(
    certified: Certified, lines: io.StringIO, implicit: bool
) -> None:
    server = MailServer(certified, implicit=implicit, password="secret-4711")
    terms = mailed(
        server,
        tls=MailTls.IMPLICIT if implicit else MailTls.STARTTLS,
        user="gateway",
        password=Secret("secret-4711"),
    )
    try:
        shown = await told(terms).say(CANARY, ALICE, True)
    finally:
        server.close()
    assert shown["sent"] and server.secure == [True]
    mail = message_from_bytes(server.heard[0].content, policy=policy.default)
    assert mail.get_content().strip().splitlines() == shown["document"].splitlines()
    assert (mail["To"], mail["From"]) == ("it@corp.example", "gateway@corp.example")
    assert server.heard[0].rcpt_tos == ["it@corp.example"]
    assert "canary" not in lines.getvalue() and "secret-4711" not in lines.getvalue()


@pytest_twisted.ensureDeferred
async def test_without_tls_nothing_goes(certified: Certified) -> None:
    server = MailServer(certified, offers_tls=False)
    try:
        with pytest.raises(GatewayError, match="did not take it"):
            await told(mailed(server)).say(CANARY, ALICE, True)
        assert not server.heard
    finally:
        server.close()


@pytest_twisted.ensureDeferred
async def test_a_server_that_does_not_prove_its_name_gets_nothing(certified: Certified, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Certified(tmp_path / "other")
    server = MailServer(certified)
    try:
        with pytest.raises(GatewayError, match="prove its name"):
            await told(mailed(server, ca=Trust(False, other.ca))).say(CANARY, ALICE, True)
        assert not server.heard
    finally:
        server.close()


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_told_without_the_server_s_words(certified: Certified) -> None:
    server = MailServer(certified, refuses="554 no canary-4711 here")
    try:
        with pytest.raises(GatewayError, match="refuses with 554") as problem:
            await told(mailed(server)).say(CANARY, ALICE, True)
        assert "canary" not in str(problem.value)
    finally:
        server.close()


@pytest_twisted.ensureDeferred
async def test_a_webhook_gets_the_same(certified: Certified, web: WebServer) -> None:
    terms = FeedbackTerms(webhook=web.url, ca=Trust(False, certified.ca))  # type: ignore[arg-type]
    shown = await told(terms).say(CANARY, ALICE, True)
    assert shown["to"] == web.url
    said = json.loads(web.heard[0])
    assert said["from"] == ALICE and said["text"] == CANARY and said["standard"]["From"] == ALICE
    web.status = 500
    with pytest.raises(GatewayError, match="status 500"):
        await told(terms).say(CANARY, ALICE, True)


@pytest_twisted.ensureDeferred
async def test_who_may_not_is_told_so() -> None:
    nobody = Endpoint(HOST, 9)
    out = FeedbackTerms(mail=IT, smtp=nobody, scope=(ScopedPeople(on=False, whom="staff", locked=True),))
    with pytest.raises(CommandError, match="switched off"):
        await told(out).say(CANARY, ALICE, False)
    mine = evolve(out, scope=(ScopedPeople(on=False), ScopedPeople(on=True, whom=ALICE)))
    assert not (await told(mine).say(CANARY, ALICE, False))["sent"]
    with pytest.raises(CommandError, match="switched off"):
        await told(mine).say(CANARY, "carol@corp.example", False)


@pytest_twisted.ensureDeferred
async def test_one_person_does_not_flood(certified: Certified, web: WebServer) -> None:
    moment = {"now": 0.0}
    terms = FeedbackTerms(webhook=web.url, ca=Trust(False, certified.ca))  # type: ignore[arg-type]
    feedback = told(terms, lambda: moment["now"])
    for _ in range(5):
        await feedback.say(CANARY, ALICE, True)
    with pytest.raises(CommandError, match="later"):
        await feedback.say(CANARY, ALICE, True)
    await feedback.say(CANARY, "carol@corp.example", True)
    moment["now"] = 3601.0
    await feedback.say(CANARY, ALICE, True)
    assert len(web.heard) == 7


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001])
@pytest_twisted.ensureDeferred
async def test_something_has_to_be_said(text: str) -> None:
    with pytest.raises(CommandError, match="say something"):
        await told(FeedbackTerms(mail=IT, smtp=Endpoint(HOST, 9))).say(text, ALICE, True)
