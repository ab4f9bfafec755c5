"""The subscription tables against RFC 6121 appendix A, written out a second time in the appendix's own words."""

import pytest

from gateway.model.subscription import INBOUND, OUTBOUND, Ask, State, Transition

# state | out: subscribe, unsubscribe, subscribed, unsubscribed | in: the same
# '>' passes, 'x' does not; after it the new state, '.' for no change; (u) and (s): answered by itself
APPENDIX = """
None       | >None+PO    | >.       | x.       | x.       | >None+PI    | x.          | x.     | x.
None+PO    | >.          | >None    | x.       | x.       | >None+PO+PI | x.          | >To    | >None
None+PI    | >None+PO+PI | >.       | >From    | >None    | x.          | >None(u)    | x.     | x.
None+PO+PI | >.          | >None+PI | >From+PO | >None+PO | x.          | >None+PO(u) | >To+PI | >None+PI
To         | >.          | >None    | x.       | x.       | >To+PI      | x.          | x.     | >None
To+PI      | >.          | >None+PI | >Both    | >To      | x.          | >To(u)      | x.     | >None+PI
From       | >From+PO    | >.       | x.       | >None    | x.(s)       | >None(u)    | x.     | x.
From+PO    | >.          | >From    | x.       | >None+PO | x.(s)       | >None+PO(u) | >Both  | >From
Both       | >.          | >From    | x.       | >To      | x.(s)       | >To(u)      | x.     | >From
"""
STATES = {
    "None": State.NONE,
    "None+PO": State.NONE_OUT,
    "None+PI": State.NONE_IN,
    "None+PO+PI": State.NONE_OUT_IN,
    "To": State.TO,
    "To+PI": State.TO_IN,
    "From": State.FROM,
    "From+PO": State.FROM_OUT,
    "Both": State.BOTH,
}
REPLIES = {"(u)": Ask.UNSUBSCRIBED, "(s)": Ask.SUBSCRIBED}
ASKS = (Ask.SUBSCRIBE, Ask.UNSUBSCRIBE, Ask.SUBSCRIBED, Ask.UNSUBSCRIBED)


def _cell(text: str, state: State) -> Transition:
    reply = REPLIES.get(text[-3:])
    after = text[1:-3] if reply else text[1:]
    return Transition(text[0] == ">", state if after == "." else STATES[after], reply)


def _rows() -> list[tuple[State, Ask, Transition, Transition]]:
    rows = []
    for line in APPENDIX.strip().splitlines():
        name, *cells = (cell.strip() for cell in line.split("|"))
        state = STATES[name]
        for ask, outward, inward in zip(ASKS, cells[:4], cells[4:], strict=True):
            rows.append((state, ask, _cell(outward, state), _cell(inward, state)))
    return rows


@pytest.mark.parametrize(("state", "ask", "outward", "inward"), _rows(), ids=str)
def test_table_is_the_appendix(state: State, ask: Ask, outward: Transition, inward: Transition) -> None:
    assert OUTBOUND[state, ask] == outward
    assert INBOUND[state, ask] == inward


def test_tables_are_total_and_closed() -> None:
    """I14: the subscription table is total and closed."""
    every = {(state, ask) for state in State for ask in ASKS}
    assert set(OUTBOUND) == every == set(INBOUND)


@pytest.mark.parametrize(
    ("state", "from_", "to", "waits"),
    [
        (State.NONE, False, False, False),
        (State.NONE_OUT, False, False, False),
        (State.NONE_IN, False, False, True),
        (State.NONE_OUT_IN, False, False, True),
        (State.TO, False, True, False),
        (State.TO_IN, False, True, True),
        (State.FROM, True, False, False),
        (State.FROM_OUT, True, False, False),
        (State.BOTH, True, True, False),
    ],
)
def test_state_says_who_watches_whom(state: State, from_: bool, to: bool, waits: bool) -> None:
    assert (state.contact_watches, state.person_watches, state.request_waits) == (from_, to, waits)


@pytest.mark.parametrize("state", list(State))
def test_contact_alone_never_becomes_a_watcher(state: State) -> None:
    """Only the inside person's `subscribed` entitles a contact."""
    gained = [ask for ask in ASKS if INBOUND[state, ask].state.contact_watches and not state.contact_watches]
    assert gained == []


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("ask", ASKS)
def test_repeated_request_changes_nothing_more(state: State, ask: Ask) -> None:
    for table in (OUTBOUND, INBOUND):
        after = table[state, ask].state
        assert table[after, ask].state is after
