"""Dialogs: identity, ways, numbers, and what is kept over a restart (RFC 3261 section 12)."""

import json

import pytest

from gateway.protocols.sip.dialogs import Dialog, DialogRefused

from .talk import ALICE, BOB, GATEWAY, PEER, request, response, station


def called(**fields: str | None) -> Dialog:
    return Dialog.as_called(request("SUBSCRIBE", **{"Contact": f"<{PEER}>"} | fields), "ours")


def test_the_called_side_takes_routes_in_their_order() -> None:
    dialog = called(Record_Route="<sip:p2.example;lr>, <sip:p1.example;lr>", CSeq="314")
    assert dialog.key == ("call1", "ours", "bob")
    assert (dialog.local_uri, dialog.remote_uri, dialog.remote_target) == (ALICE, BOB, PEER)
    assert (dialog.local_cseq, dialog.remote_cseq) == (0, 314)
    assert dialog.next_hop == "sip:p2.example;lr"


def test_the_calling_side_turns_them_round() -> None:
    ask = station().request("INVITE", ALICE, BOB)
    answer = response(ask, 200, "far", Contact=f"<{PEER}>", Record_Route="<sip:p2.example;lr>,<sip:p1.example;lr>")
    dialog = Dialog.as_caller(ask, answer)
    assert dialog.key == ("t2", "t1", "far")
    assert dialog.request("BYE").headers.all("Route") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
    assert (dialog.local_cseq, dialog.remote_cseq) == (2, None)


def test_a_request_is_built_from_the_dialog_alone() -> None:
    dialog = called()
    made = dialog.request("NOTIFY", contact=f"<{GATEWAY}>")
    assert (made.method, made.uri, [*made.headers]) == (
        "NOTIFY",
        PEER,
        [
            ("Max-Forwards", "70"),
            ("From", f"<{ALICE}>;tag=ours"),
            ("To", f"<{BOB}>;tag=bob"),
            ("Call-ID", "call1"),
            ("CSeq", "1 NOTIFY"),
            ("Contact", f"<{GATEWAY}>"),
        ],
    )
    assert [str(dialog.request(method).cseq) for method in ("NOTIFY", "BYE")] == ["2 NOTIFY", "3 BYE"]
    assert str(dialog.request("ACK", cseq=7).cseq) == "7 ACK" and dialog.local_cseq == 3


def test_a_strict_router_becomes_the_request_uri() -> None:
    dialog = called(Record_Route="<sip:old.example>, <sip:new.example;lr>")
    made = dialog.request("NOTIFY")
    assert (made.uri, dialog.next_hop) == ("sip:old.example", "sip:old.example")
    assert made.headers.all("Route") == ["<sip:new.example;lr>", f"<{PEER}>"]


@pytest.mark.parametrize(("number", "refused"), [("2", None), ("9", None), ("1", 500), ("0", 500)])
def test_numbers_must_grow(number: str, refused: int | None) -> None:
    dialog = called()
    assert dialog.refusal(request("NOTIFY", CSeq=number)) == refused
    assert dialog.remote_cseq == (1 if refused else int(number))


def test_ack_has_the_number_of_its_invite() -> None:
    dialog = called()
    assert dialog.refusal(request("ACK", CSeq="1")) is None


def test_contact_is_refreshed_by_requests_that_may() -> None:
    dialog = called()
    dialog.refresh_target(request("INFO", Contact="<sip:info.example>"))
    dialog.refresh_target(request("NOTIFY", Contact="<tel:+15550100>"))
    dialog.refresh_target(request("NOTIFY"))
    assert dialog.remote_target == PEER
    dialog.refresh_target(request("NOTIFY", Contact="<sip:new.example>"))
    assert dialog.remote_target == "sip:new.example"


@pytest.mark.parametrize(
    "fields",
    [
        {"Contact": None},
        {"Contact": "*"},
        {"Contact": "<tel:+15550100>"},
        {"From_": f"<{BOB}>"},
        {"Record_Route": ",".join(["<sip:p.example;lr>"] * 17)},
        {"Record_Route": "<<>>"},
    ],
)
def test_what_cannot_begin_a_dialog_gets_400(fields: dict[str, str | None]) -> None:
    with pytest.raises(DialogRefused) as caught:
        called(**fields)
    assert caught.value.status == 400


def test_a_dialog_goes_on_after_a_restart_with_larger_numbers() -> None:
    dialog = called(Record_Route="<sip:p1.example;lr>")
    dialog.request("NOTIFY")
    plain = json.loads(json.dumps(dialog.to_plain()))
    again = Dialog.from_plain(plain)
    assert again.to_plain() == dialog.to_plain()
    assert str(Dialog.from_plain(plain, 5000).request("NOTIFY").cseq) == "5001 NOTIFY"
    assert Dialog.from_plain(plain | {"local_cseq": 2**31}).request("NOTIFY").cseq.number == 2**31 - 1


@pytest.mark.parametrize(
    "change", [{"call_id": 1}, {"route_set": "x"}, {"local_cseq": None}, {"remote_target": "x"}, {"route_set": [1]}]
)
def test_what_is_no_dialog_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Dialog.from_plain(called().to_plain() | change)
    with pytest.raises(KeyError):
        Dialog.from_plain({})
