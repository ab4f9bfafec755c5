"""The chain of the ledger: whatever is changed, taken out, put in or moved is found, and an erasure is not."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LedgerError
from gateway.model.chain import NOTHING, START, Anchor, canonical, digest, link, seal, verify

Line = dict[str, Any]
PEOPLE = ("alice@corp.example", "bob@partner.example")


def ledger(number: int, erased: tuple[int, ...] = (), first: int = 0) -> list[Line]:
    """Makes the lines of a ledger of so many entries; of those `erased` the persons are gone, and the end says so.

    With `first`, the entries up to it are removed, and the end says that.
    """
    lines: list[Line] = [{"ledger": "gateway-ledger-1", "from": {"seq": 0, "link": NOTHING}}]
    before = NOTHING

    def append(entry: Line, about: str | None, to: str | None, salt: str | None) -> None:
        nonlocal before
        before = link(before, digest(canonical(entry)))
        gone = entry["seq"] in erased
        persons = {"about": None, "to": None, "salt": None} if gone else {"about": about, "to": to, "salt": salt}
        lines.append({"entry": entry, **persons, "link": before})

    for seq in range(1, number + 1):
        salt = f"{seq:032x}"
        entry = {"seq": seq, "at": seq, "kind": "presence", "seal": seal(salt, *PEOPLE), "sent": ["note"]}
        append(entry, *PEOPLE, salt)
    if erased:
        ranges = [[seq, seq] for seq in erased]
        append({"seq": len(lines), "at": 0, "kind": "erase", "seal": "", "entries": ranges}, None, None, None)
    if first:
        told = {"through": first, "link": lines[first]["link"]}
        append({"seq": len(lines), "at": 0, "kind": "prune", "seal": "", **told}, None, None, None)
        lines[: first + 1] = [{"ledger": "gateway-ledger-1", "from": {"seq": first, "link": lines[first]["link"]}}]
    return [*lines, head_of(lines)]


def head_of(lines: list[Line]) -> Line:
    last = lines[-1]
    return {"head": {"seq": last["entry"]["seq"], "link": last["link"]}}


def test_the_hashes_are_what_the_document_says() -> None:
    """Somebody else must be able to compute them."""

    def sha(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    persons = '00ff\n["alice@corp.example","bob@partner.example"]'
    assert seal("00ff", *PEOPLE) == sha("gateway-ledger-1 persons\n" + persons)
    assert canonical({"b": "é", "a": [1, 2]}) == '{"a":[1,2],"b":"\\u00e9"}'
    assert digest('{"a":1}') == sha('gateway-ledger-1 entry\n{"a":1}')
    assert link("0" * 64, "f" * 64) == sha("gateway-ledger-1 link\n" + "0" * 64 + "f" * 64)


@pytest.mark.parametrize(("erased", "first"), [((), 0), ((1, 3), 0), ((4,), 2)])
def test_a_whole_ledger_is_whole(erased: tuple[int, ...], first: int) -> None:
    lines = ledger(6, erased, first)
    found = verify(json.loads(json.dumps(lines)))
    assert (found.entries, found.erased, found.start.seq) == (len(lines) - 2, len(erased), first)
    assert str(found.head) == f"{lines[-1]['head']['seq']}:{lines[-1]['head']['link']}"


def test_an_empty_ledger_is_whole() -> None:
    assert verify([{"ledger": "gateway-ledger-1", "from": {"seq": 0, "link": NOTHING}}, _head(START)]).entries == 0


def _head(anchor: Anchor) -> Line:
    return {"head": {"seq": anchor.seq, "link": anchor.link}}


def _set(*path: Any, to: Any) -> Callable[[list[Line]], None]:
    def change(lines: list[Line]) -> None:
        place: Any = lines
        for step in path[:-1]:
            place = place[step]
        assert place[path[-1]] != to
        place[path[-1]] = to

    return change


TAMPERED: dict[str, Callable[[list[Line]], None]] = {
    "a field is added": lambda lines: lines[3]["entry"]["sent"].append("mood"),
    "a time is another": _set(3, "entry", "at", to=99),
    "a person is another": _set(3, "about", to="eve@stranger.example"),
    "a contact is another": _set(3, "to", to="eve@stranger.example"),
    "a salt is another": _set(3, "salt", to="00"),
    "a link is another": _set(3, "link", to="0" * 64),
    "an entry is taken out": lambda lines: lines.pop(3),
    "the first entry is taken out": lambda lines: lines.pop(1),
    "the last entry is taken out": lambda lines: lines.pop(-2),
    "an entry is there twice": lambda lines: lines.insert(3, deepcopy(lines[3])),
    "two are exchanged": lambda lines: lines.insert(3, lines.pop(4)),
    "the end is cut off": lambda lines: lines.pop(-1),
    "all after the third is cut off": lambda lines: lines.__delitem__(slice(4, None)),
    "something follows the end": lambda lines: lines.append(deepcopy(lines[3])),
    "persons are gone in silence": lambda lines: lines[3].update(about=None, to=None, salt=None),
    "a seal is gone with the persons": lambda lines: (
        lines[3].update(about=None, to=None, salt=None),  # type: ignore[func-returns-value]
        lines[3]["entry"].update(seal=""),
    )[0],
    "persons without a seal": _set(3, "salt", to=None),
    "the first two are gone in silence": lambda lines: lines.__setitem__(
        slice(0, 3), [{"ledger": "gateway-ledger-1", "from": {"seq": 2, "link": lines[2]["link"]}}]
    ),
    "another form": _set(0, "ledger", to="gateway-ledger-2"),
    "nonsense": lambda lines: lines.insert(2, {"entry": 7}),
    "a list instead": lambda lines: lines.insert(2, []),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found(name: str) -> None:
    lines = ledger(6)
    TAMPERED[name](lines)
    with pytest.raises(LedgerError):
        verify(lines)


def test_a_chain_that_is_made_anew_is_found_by_an_anchor() -> None:
    """Who can write the file can compute every hash again; what was noted elsewhere does not change with it."""
    noted = verify(ledger(4)).head
    longer, other = ledger(6), ledger(6, erased=(2,))
    assert verify(longer, [noted]).entries == 6
    assert verify(other, [noted]).entries == 7, "an erasure leaves every link as it is"
    with pytest.raises(LedgerError, match="ends with entry 3"):
        verify(ledger(3), [noted])
    with pytest.raises(LedgerError, match="made anew"):
        verify(longer, [Anchor(4, "0" * 64)])
    with pytest.raises(LedgerError, match="contradict"):
        verify(longer, [noted, Anchor(4, "0" * 64)])


def test_an_anchor_of_what_was_removed_is_no_matter() -> None:
    noted = verify(ledger(2)).head
    assert verify(ledger(6, first=4), [noted, verify(ledger(4)).head]).start.seq == 4


def test_of_others_an_export_may_show_digests_only() -> None:
    lines = ledger(6)
    for place in (2, 3, 5):
        entry = lines[place]["entry"]
        lines[place] = {"seq": entry["seq"], "digest": digest(canonical(entry)), "link": lines[place]["link"]}
    assert verify(lines).sealed == 3
    lines[3]["digest"] = "0" * 64
    with pytest.raises(LedgerError):
        verify(lines)


@pytest.mark.parametrize("text", ["", "7", "7:", f"x:{'0' * 64}", f"-1:{'0' * 64}", f"7:{'0' * 63}"])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(LedgerError):
        Anchor.parse(text)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["seq", "link", "a"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    place=st.integers(0, 8), key=st.sampled_from(["entry", "about", "to", "salt", "link", "from", "head"]), to=ANYTHING
)
def test_no_value_can_be_replaced_by_another(place: int, key: str, to: Any) -> None:
    lines = ledger(6, erased=(2,))
    if key in lines[place] and lines[place][key] != to:
        lines[place][key] = to
        with pytest.raises(LedgerError):
            verify(lines)


@given(st.lists(st.dictionaries(st.sampled_from(["ledger", "from", "entry", "link", "salt", "head", "seq"]), ANYTHING)))
def test_nothing_but_a_ledger_error_escapes(lines: list[Line]) -> None:
    with suppress(LedgerError):
        verify(lines)


@given(st.permutations(range(1, 8)))
def test_only_one_order_is_the_right_one(order: list[int]) -> None:
    lines = ledger(7)
    moved = [lines[0], *(lines[place] for place in order), lines[-1]]
    if list(order) == list(range(1, 8)):
        verify(moved)
    else:
        with pytest.raises(LedgerError):
            verify(moved)
