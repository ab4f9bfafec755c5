import pytest

from gateway.commands import render
from gateway.policy.access_level import Origin

from .house import ENTRY, PARTNER, House

ALICE, BOB = "alice@corp.example", "bob@partner.example"


def test_explain_one_field():
    assert render.explain(House().explain("alice@corp.example", "bob@partner.example", "phone.mobile")) == (
        "WITHHELD  phone.mobile (level), policy 41 of configuration 0123456789ab, in the ledger 7.41\n"
        " 1  level  team lacks it\n -> would be sent if: give bob personal\n -> the smallest change: give bob personal"
    )


def test_view_leaves_out_what_is_not_published():
    text = render.view(House().view("alice@corp.example", "bob@partner.example", None, Origin.ADMINISTRATOR))
    assert "<presence><show>dnd</show></presence>" in text
    assert "withheld" in text
    assert "mood" not in text
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["sent", "show", "allowed", "client", "dnd"],
        ["withheld", "note", "level", "person", "2023-11-14", "22:13"],
    ]


def test_observe_mode_is_said_wherever_it_would_be_misleading_not_to():
    house = House()
    assert "OBSERVE" not in render.view(house.view(ALICE, BOB, None, Origin.ADMINISTRATOR))
    assert "OBSERVE" not in render.explain(house.explain(ALICE, BOB, "note"))
    house.observed = True
    assert "OBSERVE MODE" in render.view(house.view(ALICE, BOB, None, Origin.ADMINISTRATOR))
    assert "OBSERVE MODE" in render.explain(house.explain(ALICE, BOB, "note"))


def test_columns_are_aligned():
    assert render.columns([("a", "bbb"), ("aaa", "b")], ("X", "Y")) == "X    Y\na    bbb\naaa  b"
    assert render.columns([]) == ""


def test_nothing_moves_the_cursor():
    hostile = "\x1b[2Jevil\u202e\r\n"
    texts = [
        render.partners_list([{**PARTNER, "partner": hostile, "text": hostile}]),
        render.levels_list([{**ENTRY, "contact": hostile}]),
        render.levels_set({"owner": hostile, "contact": hostile, "level": hostile, "before": hostile, "changed": True}),
        render.reload({"changes": [hostile], "restart": [hostile]}),
        render.view(
            {
                "owner": hostile,
                "contact": hostile,
                "level": "x",
                "observed": False,
                "presence": {"xmpp": hostile},
                "fields": [],
            }
        ),
        render.checks(
            {"subject": hostile, "checks": [{"name": "tls", "outcome": "fail", "text": "\x1b[2J", "paste": "\u202e"}]}
        ),
    ]
    for text in texts:
        assert all(character == "\n" or " " <= character <= "~" for character in text), text


def test_a_failed_check_shows_what_to_paste():
    text = render.checks(
        {
            "subject": "gateway.toml",
            "checks": [
                {"name": "dns", "outcome": "fail", "text": "no SRV record", "paste": "_xmpp-server._tcp... IN SRV"},
                {"name": "certs", "outcome": "warn", "text": "expires soon", "paste": None},
            ],
        }
    )
    assert text.splitlines() == [
        "gateway.toml",
        "dns    fail  no SRV record",
        "             _xmpp-server._tcp... IN SRV",
        "certs  warn  expires soon",
        "1 failure, 1 warning",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (59.9, "59s"), (61, "1m 1s"), (3700, "1h 1m"), (93_600, "1d 2h")]
)
def test_spans(seconds, shown):
    assert render.span(seconds) == shown


def test_status_names_what_is_wrong():
    house = House()
    house.ready = False
    text = render.status(house.status())
    assert "NOT READY" in text
    assert "inside: no link to corp.example" in text


def test_empty_lists_say_so():
    assert "nobody" in render.levels_list([])
    assert "no partner" in render.partners_list([])
    assert render.reload({"changes": [], "restart": []}) == "nothing changed"
