"""Watcher information both ways."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocols.winfo import (
    MAX_WATCHERS,
    Watcher,
    WatcherEvent,
    WatcherInfo,
    WatcherList,
    WatcherStatus,
    read_winfo,
    write_winfo,
)
from gateway.protocols.xml_document import DocumentError
from tests.protocols.documents import LINES
from tests.protocols.validity import check

EXAMPLE = b"""<?xml version="1.0"?>
<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">
  <watcher-list resource="sip:alice@corp.example" package="presence">
    <watcher status="active" id="8ajksjda7s" duration-subscribed="509" event="approved"
      >sip:bob@partner.example</watcher>
    <watcher status="pending" id="hh8juja87s997-ass7" display-name="Mr. Subscriber" event="subscribe"
      >sip:eve@stranger.example</watcher>
  </watcher-list>
</watcherinfo>"""


def test_the_example_of_rfc_3858() -> None:
    (one,) = read_winfo(EXAMPLE).lists
    assert (one.resource, one.package) == ("sip:alice@corp.example", "presence")
    assert one.watchers == (
        Watcher("sip:bob@partner.example", WatcherStatus.ACTIVE, WatcherEvent.APPROVED, "8ajksjda7s", subscribed=509),
        Watcher(
            "sip:eve@stranger.example",
            WatcherStatus.PENDING,
            WatcherEvent.SUBSCRIBE,
            "hh8juja87s997-ass7",
            "Mr. Subscriber",
        ),
    )
    assert [watcher.wants_answer for watcher in one.watchers] == [False, True]


URIS = st.from_regex(r"sip:[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True)
SECONDS = st.none() | st.integers(0, 10**9)
WATCHERS = st.builds(
    Watcher,
    URIS,
    st.sampled_from(WatcherStatus),
    st.sampled_from(WatcherEvent),
    LINES,
    st.just("") | LINES,
    SECONDS,
    SECONDS,
)
LISTS = st.builds(WatcherList, URIS, st.just("presence"), st.lists(WATCHERS, max_size=3).map(tuple))


@settings(deadline=None)
@given(st.builds(WatcherInfo, st.integers(0, 10**9), st.booleans(), st.lists(LISTS, max_size=3).map(tuple)))
def test_watcher_information_comes_back_and_is_valid(written: WatcherInfo) -> None:
    body = write_winfo(written)
    check(body)
    assert read_winfo(body) == written


@pytest.mark.parametrize("wrong", ['status="asleep"', 'event="boredom"', 'id=""'])
def test_a_watcher_that_lacks_something_is_passed_over(wrong: str) -> None:
    name = wrong.partition("=")[0]
    inside = " ".join(one for one in ('status="active"', 'event="approved"', 'id="1"') if not one.startswith(name))
    for broken in (f"{inside} {wrong}", inside):
        body = (
            "<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' version='1' state='partial'>"
            f"<watcher-list resource='x' package='presence'><watcher {broken}>sip:a@b.example</watcher></watcher-list>"
            "</watcherinfo>"
        )
        assert read_winfo(body.encode()) == WatcherInfo(1, False, (WatcherList("x", "presence"),))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<watcherinfo/>",
        EXAMPLE.replace(b'version="0"', b'version="-1"'),
        EXAMPLE.replace(b'version="0"', b""),
        EXAMPLE.replace(b"full", b"half"),
        EXAMPLE.replace(b"ns:watcherinfo", b"ns:other"),
    ],
)
def test_what_is_no_watcher_information_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_winfo(body)


def test_watchers_are_bounded() -> None:
    many = WatcherList("sip:a@b.example", "presence", read_winfo(EXAMPLE).lists[0].watchers * 600)
    found = read_winfo(write_winfo(WatcherInfo(0, True, (many, many))))
    assert sum(len(one.watchers) for one in found.lists) == MAX_WATCHERS


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_nothing_but_the_own_error_escapes(body: bytes) -> None:
    for one in (body, EXAMPLE[:150] + body + EXAMPLE[-50:]):
        try:
            read_winfo(one)
        except DocumentError as error:
            assert error.reason
