"""The formulas behind the published figures."""

import pytest

from tests.bench import arithmetic, report
from tests.bench.generator import Measurement
from tests.bench.report import Row
from tests.bench.stanzas import CELLS, STAMPED, Supply, template


def test_percentile_takes_the_sample_below_which_the_share_lies() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert arithmetic.percentile(ordered, 0.5) == 51
    assert arithmetic.percentile(ordered, 0.99) == 100
    assert arithmetic.percentile([7.0], 0.99) == 7


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError):
        arithmetic.percentile([], 0.5)


def test_hop_of_a_plain_server_charges_no_component_leg() -> None:
    assert arithmetic.hop_cost({"in": 7.0, "out": 8.5, "router": 6.5}) == 9.0


def test_hop_of_the_gateway_is_itself() -> None:
    assert arithmetic.hop_cost({"hop": 1.5}) == 1.5


@pytest.mark.parametrize("legs", [{}, {"in": 1.0, "out": 1.0}, {"hop": 1.0, "in": 1.0}, {"through": 1.0}])
def test_incomplete_legs_are_refused(legs: dict[str, float]) -> None:
    with pytest.raises(KeyError):
        arithmetic.hop_cost(legs)


def test_cost_is_given_per_100000_stanzas() -> None:
    assert arithmetic.per_100k(2_500_000_000, 100_000) == pytest.approx(2.5)
    with pytest.raises(ValueError):
        arithmetic.per_100k(1, 0)


def test_minimum_combines_the_quietest_phases_of_each_leg() -> None:
    quiet, slow = {"in": 2.0, "out": 2.0, "router": 1.0}, {"in": 4.0, "out": 1.5, "router": 2.0}
    summary = arithmetic.summarize([quiet, slow, slow])
    assert summary.median == 3.5
    assert summary.minimum == 2.5


def test_ratio_compares_within_a_repetition() -> None:
    ours = [{"hop": 1.0}, {"hop": 4.0}, {"hop": 1.0}]
    theirs = [{"hop": 2.0}, {"hop": 8.0}, {"hop": 1.0}]
    assert arithmetic.ratio(ours, theirs) == 0.5
    with pytest.raises(ValueError):
        arithmetic.ratio(ours, theirs[:2])


def test_others_share_never_falls_below_zero() -> None:
    assert arithmetic.others_share(1.5, 1.0, 2.0) == 0.25
    assert arithmetic.others_share(0.9, 1.0, 2.0) == 0.0


def test_presences_of_one_pair_differ_in_what_a_gateway_lets_through() -> None:
    supply = Supply.of(CELLS["presence"], 1, "corp.example", "partner.example")
    first, second = (supply.render(0, 1, stamp).split(b"<status>")[1] for stamp in (1, 2))
    assert first != second
    assert first.split(b"</status>")[1] == second.split(b"</status>")[1]


def test_supply_takes_all_pairs_in_turn() -> None:
    supply = Supply.of(CELLS["message-200"], 3, "corp.example", "partner.example")
    text = supply.render(2, 5, 123)
    assert [part[:1] for part in text.split(b"from='u")[1:]] == [b"2", b"0", b"1", b"2", b"0"]
    assert [int(stamp) for stamp in STAMPED.findall(text)] == [123] * 5


@pytest.mark.parametrize("name", ["message-200", "message-1000", "presence"])
def test_text_has_the_length_that_the_cell_promises(name: str) -> None:
    cell = CELLS[name]
    tag = b"body" if cell.kind == "message" else b"status"
    stanza = Supply([template(cell, 0, "corp.example", "partner.example")]).render(0, 1, 10**17)
    assert len(stanza.split(b"<" + tag + b">")[1].split(b"</" + tag + b">")[0]) == cell.characters


def _row(system: str, leg: str, cost: float, repetition: int = 0) -> Row:
    return Row(system, "message-200", None, repetition, leg, Measurement(cost, 1e4, 1.0, 0.5, 2.0, 0.3, 0.0, 0))


def test_report_says_which_target_is_missed() -> None:
    rows = [_row("gateway", "hop", 2.0)]
    rows += [_row("ejabberd", leg, 2.5) for leg in ("in", "out", "router")]
    rows += [_row("prosody", leg, 5.0) for leg in ("in", "out", "router")]
    text = report.tables(rows)
    assert "gateway/ejabberd 0.80 (ok, target 1.00)" in text
    assert "gateway/prosody 0.40 (MISSED, target 0.33)" in text


def test_report_leaves_out_repetitions_in_which_a_leg_failed() -> None:
    rows = [_row("gateway", "hop", 2.0, 0), _row("gateway", "hop", 4.0, 1), _row("prosody", "hop", 8.0, 1)]
    rows += [_row("ejabberd", leg, 1.0, 0) for leg in ("in", "out")]
    text = report.tables(rows)
    assert "gateway/prosody 0.50" in text
    assert "ejabberd     not measured" in text


def test_people_never_say_the_same_but_one_person_says_the_same_to_each_of_twenty_contacts() -> None:
    def bodies(name: str) -> list[bytes]:
        supply = Supply.of(CELLS[name], 40, "corp.example", "partner.example")
        return [stanza.partition(b">")[2] for stanza in supply.render(0, 40, 10**17).split(b"</presence>")[:-1]]

    assert len(set(bodies("presence"))) == 40
    assert [len(set(bodies("presence-fan")[start : start + 20])) for start in (0, 20)] == [1, 1]
    assert len(set(bodies("presence-fan"))) == 2
    assert {len(body) for body in bodies("presence")} == {len(body) for body in bodies("presence-fan")}
