"""What a domain's web server says of its certificates (RFC 7711): a real HTTPS server on loopback."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from gateway.transport import posh
from gateway.transport.authority import CertificateAuthority
from gateway.transport.certificate import PeerCertificate
from gateway.transport.posh import PATH, PoshBook, Source, Unbelieved, read_document
from gateway.transport.resolver import NotFound, Target
from tests.transport.wires import until

DOMAIN, HOSTING = "partner.example", "hosting.example"
OURS = PeerCertificate(fingerprint_sha256="ab" * 32, fingerprint_sha512="cd" * 64)
OTHER = PeerCertificate(fingerprint_sha256="00" * 32, fingerprint_sha512="00" * 64)


def _text(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


WEAK, STRONG = _text("ab" * 32), _text("cd" * 64)
NAMED = {"fingerprints": [{"sha-256": WEAK}], "expires": 600}


# -- the document


@pytest.mark.parametrize(
    ("descriptor", "digest"),
    [
        ({"sha-256": WEAK}, "ab" * 32),
        ({"sha-512": STRONG}, "cd" * 64),
        ({"sha-256": WEAK, "sha-512": STRONG}, "cd" * 64),
        ({"md5": "AAAA", "sha-256": WEAK}, "ab" * 32),
    ],
)
def test_of_several_digests_of_a_certificate_the_strongest_counts(descriptor: dict[str, str], digest: str) -> None:
    found = read_document(json.dumps({"fingerprints": [{"sha-1": "AAAA"}, descriptor], "expires": 60}).encode())
    assert (found.fingerprints, found.url, found.seconds) == ({digest}, "", 60.0)


def test_a_reference_is_an_address() -> None:
    found = read_document(b'{"url": "https://hosting.example/posh.json", "expires": 1.5}')
    assert (found.fingerprints, found.url, found.seconds) == (frozenset(), "https://hosting.example/posh.json", 1.5)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 60_000,
        b"{}",
        json.dumps({"fingerprints": [{"sha-256": WEAK}]}).encode(),
        json.dumps({**NAMED, "expires": 0}).encode(),
        json.dumps({**NAMED, "expires": -5}).encode(),
        json.dumps({**NAMED, "expires": True}).encode(),
        json.dumps({**NAMED, "expires": "600"}).encode(),
        b'{"fingerprints": [{"sha-256": "%s"}], "expires": Infinity}' % WEAK.encode(),
        b'{"fingerprints": [{"sha-256": "%s"}], "expires": NaN}' % WEAK.encode(),
        json.dumps({"fingerprints": [], "expires": 60}).encode(),
        json.dumps({"fingerprints": ["sha-256"], "expires": 60}).encode(),
        json.dumps({"fingerprints": [{"sha-1": "AAAA"}], "expires": 60}).encode(),
        json.dumps({"fingerprints": [{"sha-256": STRONG}], "expires": 60}).encode(),
        json.dumps({"fingerprints": [{"sha-256": "!" + WEAK}], "expires": 60}).encode(),
        json.dumps({**NAMED, "url": "https://hosting.example/"}).encode(),
        json.dumps({"url": "http://hosting.example/", "expires": 60}).encode(),
        json.dumps({"url": "https://me@hosting.example/", "expires": 60}).encode(),
        json.dumps({"url": "https://hosting.example:99999/", "expires": 60}).encode(),
        json.dumps({"url": "https:///posh", "expires": 60}).encode(),
        json.dumps({"url": "file:///etc/passwd", "expires": 60}).encode(),
        json.dumps({"url": "https://hosting.example/"}).encode(),
    ],
)
def test_what_is_not_as_it_should_be_vouches_for_nothing(octets: bytes) -> None:
    with pytest.raises(Unbelieved):
        read_document(octets)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda each: (
            st.lists(each) | st.dictionaries(st.sampled_from(["url", "expires", "fingerprints", "sha-256"]), each)
        ),
    ).map(lambda found: json.dumps(found).encode())
)
def test_nothing_but_its_own_refusal_comes_out(octets: bytes) -> None:
    with suppress(Unbelieved):
        assert read_document(octets).seconds > 0


def test_a_strong_digest_that_is_broken_is_not_replaced_by_a_weak_one() -> None:
    broken = {"fingerprints": [{"sha-512": "AAAA", "sha-256": WEAK}], "expires": 60}
    with pytest.raises(Unbelieved):
        read_document(json.dumps(broken).encode())


# -- the web server


class _Page(Resource):
    isLeaf = True

    def __init__(self, web: "Web") -> None:
        super().__init__()
        self._web = web

    def render_GET(self, request: Any) -> Any:
        path = request.path.decode()
        self._web.asked.append(f"{request.getHeader('host')}{path}")
        found = self._web.pages.get(path)
        if found is None:
            return NOT_DONE_YET
        status, answer = found
        request.setResponseCode(status)
        if 300 <= status < 400:
            request.setHeader("location", answer.decode())
            return b""
        return answer


@define(eq=False)
class Web:
    """Is the HTTPS server of both domains, where they are, and the book that asks it."""

    folder: Path
    named: str = DOMAIN
    pages: dict[str, tuple[int, bytes]] = field(factory=dict)
    asked: list[str] = field(factory=list)
    dialled: list[tuple[str, int, bool]] = field(factory=list)
    addresses: tuple[str, ...] = ("127.0.0.1",)
    authorities: Path = field(init=False)
    book: PoshBook = field(init=False)
    port: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        authority = CertificateAuthority.open(self.folder / "ca")
        self.authorities = authority.ca_file
        chain, key = authority.write_leaf(self.named, self.folder)
        tls = DefaultOpenSSLContextFactory(str(key), str(chain))
        self.port = reactor.listenSSL(0, Site(_Page(self)), tls, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.book = PoshBook(reactor, self.locate, self.number)

    @property
    def number(self) -> int:
        return int(self.port.getHost().port)

    async def locate(self, host: str, port: int, anywhere: bool) -> list[Target]:
        self.dialled.append((host, port, anywhere))
        if not self.addresses:
            raise NotFound(f"{host} has address 10.0.0.1, which may not be dialled")
        return [Target(host, port, True, self.addresses)]

    def says(self, document: object, path: str = PATH, status: int = 200) -> None:
        self.pages[path] = (status, document if isinstance(document, bytes) else json.dumps(document).encode())

    async def vouches(self, certificate: PeerCertificate = OURS) -> bool:
        asked = self.book.learning(DOMAIN, Source(True, self.authorities))
        if asked is not None:
            await asked
        return self.book.vouches(DOMAIN, certificate)


@pytest_twisted.async_yield_fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    made = Web(tmp_path)
    yield made
    await made.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_the_document_names_is_vouched_for(web: Web) -> None:
    web.says(NAMED)
    assert await web.vouches() and not web.book.vouches(DOMAIN, OTHER)
    assert web.asked == [f"{DOMAIN}:{web.number}{PATH}"] and web.dialled == [(DOMAIN, web.number, True)]
    assert not web.book.vouches("other.example", OURS)
    assert "does not name this certificate" in web.book.why_not(DOMAIN)


@pytest_twisted.ensureDeferred
async def test_an_answer_is_kept_and_asked_for_once(web: Web) -> None:
    web.says(NAMED)
    source = Source(True, web.authorities)
    both = [web.book.learning(DOMAIN, source), web.book.learning(DOMAIN, source)]
    for asked in both:
        assert asked is not None
        await asked
    assert await web.vouches() and len(web.asked) == 1


@pytest_twisted.ensureDeferred
async def test_one_reference_is_followed(web: Web) -> None:
    web.says({"url": f"https://{DOMAIN}:{web.number}/there", "expires": 600})
    web.says(NAMED, "/there")
    assert await web.vouches() and [path.partition("/")[2] for path in web.asked] == [PATH[1:], "there"]
    web.says({"url": f"https://{DOMAIN}:{web.number}/again", "expires": 600}, "/there")
    web.says(NAMED, "/again")
    web.book = PoshBook(reactor, web.locate, web.number)
    assert not await web.vouches()
    assert "refers to another one" in web.book.why_not(DOMAIN) and not any("again" in path for path in web.asked)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("first", "second", "kept"), [(300, 600, 300), (600, 300, 300), (900_000, 900_000, 86_400)])
async def test_it_is_kept_for_the_shortest_time(web: Web, first: int, second: int, kept: int) -> None:
    web.says({"url": f"https://{DOMAIN}:{web.number}/there", "expires": first})
    web.says({**NAMED, "expires": second}, "/there")
    assert await web.vouches()
    moving = _Moving(kept - 60)
    web.book._reactor = moving
    assert web.book.vouches(DOMAIN, OURS)
    moving.ahead = kept + 1
    assert not web.book.vouches(DOMAIN, OURS)


@pytest_twisted.ensureDeferred
async def test_what_the_referred_server_shows_must_fit_its_name(web: Web) -> None:
    web.says({"url": f"https://{HOSTING}:{web.number}/there", "expires": 600})
    web.says(NAMED, "/there")
    assert not await web.vouches() and HOSTING in web.book.why_not(DOMAIN)
    assert web.dialled[-1] == (HOSTING, web.number, True) and len(web.asked) == 1


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("named", [HOSTING])
async def test_a_server_of_another_name_is_not_believed(tmp_path: Path, named: str) -> None:
    web = Web(tmp_path, named)
    try:
        web.says(NAMED)
        assert not await web.vouches() and web.asked == []
    finally:
        await web.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_an_authority_that_nobody_trusts_is_not_believed(web: Web, tmp_path: Path) -> None:
    web.says(NAMED)
    web.authorities = CertificateAuthority.open(tmp_path / "other").ca_file
    assert not await web.vouches() and web.asked == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("status", [204, 301, 302, 307, 404, 500])
async def test_any_other_status_vouches_for_nothing(web: Web, status: int) -> None:
    web.says(NAMED, "/elsewhere")
    web.says(b"/elsewhere" if status in (301, 302, 307) else NAMED, status=status)
    assert not await web.vouches() and len(web.asked) == 1


@pytest_twisted.ensureDeferred
async def test_a_long_document_is_not_read(web: Web) -> None:
    web.says(json.dumps(NAMED).encode() + b" " * posh.MOST_BYTES)
    assert not await web.vouches() and "more than" in web.book.why_not(DOMAIN)


@pytest_twisted.ensureDeferred
async def test_a_silent_server_is_given_up(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posh, "SECONDS", 0.3)
    assert not await web.vouches()
    assert "in time" in web.book.why_not(DOMAIN)
    # nobody waits for it again so soon
    assert web.book.learning(DOMAIN, Source(True, web.authorities)) is None


@pytest_twisted.ensureDeferred
async def test_only_allowed_addresses_are_dialled(web: Web) -> None:
    web.says(NAMED)
    web.addresses = ()
    assert not await web.vouches() and web.asked == []
    assert "may not be dialled" in web.book.why_not(DOMAIN)


@pytest_twisted.ensureDeferred
async def test_the_next_address_is_tried(web: Web) -> None:
    web.says(NAMED)
    web.addresses = ("127.0.0.2", "127.0.0.1")
    assert await web.vouches()


@define
class _Moving:
    """The reactor with a clock that can be put forward."""

    ahead: float = 0.0

    def seconds(self) -> float:
        return reactor.seconds() + self.ahead  # type: ignore[attr-defined, no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


@pytest_twisted.ensureDeferred
async def test_nothing_counts_longer_than_it_says(web: Web) -> None:
    moving = _Moving()
    web.book = PoshBook(moving, web.locate, web.number)
    web.says(NAMED)
    assert await web.vouches()
    web.says({**NAMED, "fingerprints": [{"sha-256": _text("00" * 32)}]})
    moving.ahead = 500
    assert web.book.vouches(DOMAIN, OURS) and len(web.asked) == 1
    moving.ahead = 601
    assert not web.book.vouches(DOMAIN, OURS)
    assert not await web.vouches() and web.book.vouches(DOMAIN, OTHER)


@pytest_twisted.ensureDeferred
async def test_what_is_used_is_asked_for_again_before_it_ends(web: Web) -> None:
    moving = _Moving()
    web.book = PoshBook(moving, web.locate, web.number)
    web.says(NAMED)
    assert await web.vouches()
    moving.ahead = 560
    assert web.book.vouches(DOMAIN, OURS)
    await until(lambda: len(web.asked) == 2 and web.book._kept[DOMAIN].waiting is None)
    moving.ahead = 900
    assert web.book.vouches(DOMAIN, OURS)


@pytest_twisted.ensureDeferred
async def test_on_other_terms_it_is_asked_anew(web: Web, tmp_path: Path) -> None:
    web.says(NAMED)
    assert await web.vouches()
    web.authorities = CertificateAuthority.open(tmp_path / "other").ca_file
    assert not await web.vouches()


@pytest_twisted.ensureDeferred
async def test_it_remembers_a_bounded_number_of_domains(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posh, "MOST_KEPT", 2)
    web.addresses = ()
    for name in ("a.example", "b.example", "c.example"):
        asked = web.book.learning(name, Source())
        if asked is not None:
            await asked
    assert list(web.book._kept) == ["b.example", "c.example"]
