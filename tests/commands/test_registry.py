import inspect
import json

import pytest
import pytest_twisted

from gateway.commands import COMMANDS, Operations, Where, execute, find
from gateway.errors import CommandError, GatewayError
from gateway.model.address import Address
from gateway.policy.access_level import Origin

from .house import House

ALICE_BOB = {"owner": "alice@corp.example", "contact": "bob@partner.example"}
ARGUMENTS = {
    ("view",): ALICE_BOB,
    ("explain",): ALICE_BOB,
    ("levels", "list"): {},
    ("levels", "show"): ALICE_BOB,
    ("levels", "set"): {**ALICE_BOB, "level": "public"},
    ("levels", "unset"): ALICE_BOB,
    ("levels", "import"): {"owner": "alice@corp.example", "file": "<ruleset/>", "format": "containers"},
    ("levels", "export"): {"owner": "alice@corp.example", "format": "kamailio"},
    ("levels", "preview"): {**ALICE_BOB, "level": "team"},
    ("contacts", "list"): {"owner": "alice@corp.example"},
    ("requests", "list"): {},
    ("history", "status"): {},
    ("history", "show"): {"owner": "alice@corp.example"},
    ("history", "retry"): {},
    ("requests", "accept"): {**ALICE_BOB, "level": "company"},
    ("requests", "refuse"): ALICE_BOB,
    ("publish", "list"): {"owner": "alice@corp.example"},
    ("publish", "set"): {"owner": "alice@corp.example", "field": "note", "value": "back at two"},
    ("publish", "unset"): {"owner": "alice@corp.example", "field": "note"},
    ("publish", "switch"): {"owner": "alice@corp.example", "subject": "typing", "state": "off"},
    ("partners", "list"): {},
    ("partners", "show"): {"domain": "partner.example"},
    ("partners", "test"): {"domain": "partner.example"},
    ("ledger", "list"): {},
    ("ledger", "export"): {},
    ("ledger", "erase"): {"person": "alice@corp.example"},
    ("archive", "status"): {},
    ("archive", "search"): {"about": "alice@corp.example", "text": "hello", "kind": "message"},
    ("archive", "export"): {"format": "csv"},
    ("archive", "holds"): {},
    ("archive", "hold"): {"party": "bob@partner.example", "reason": "case 7"},
    ("archive", "release"): {"party": "bob@partner.example", "reason": "case 7"},
    ("archive", "prune"): {},
    ("archive", "rotate"): {},
    ("users", "show"): {"address": "alice@corp.example"},
    ("users", "export"): {"address": "alice@corp.example"},
    ("users", "erase"): {"address": "alice@corp.example"},
    ("policy", "diff"): {"new": "{}"},
    ("policy", "apply"): {"new": "{}", "confirm_widen": "yes"},
    ("policy", "rollback"): {"id": "ABCD12"},
    ("policy", "history"): {},
    ("policy", "pending"): {},
    ("policy", "approve"): {"id": "0123456789ab"},
    ("policy", "reject"): {"id": "0123456789ab"},
    ("trace",): {"whom": "partner.example", "span": "10m", "background": "yes"},
    ("traces", "list"): {},
    ("traces", "stop"): {"whom": "partner.example"},
    ("telemetry", "show"): {},
    ("telemetry", "on"): {},
    ("telemetry", "off"): {},
    ("telemetry", "status"): {},
    ("feedback",): {"text": "good"},
    ("privacy-statement",): {"since": "1", "format": "html"},
    ("status",): {},
    ("reload",): {},
}
ONLINE = [command for command in COMMANDS if command.where is Where.DAEMON]


@pytest.mark.parametrize("command", ONLINE, ids=lambda command: " ".join(command.words))
@pytest_twisted.ensureDeferred
async def test_every_command_is_carried_out_and_readable(command):
    house = House()
    result = await execute(house, command.words, ARGUMENTS[command.words])
    assert house.asked[0][0] == _method(command)
    assert json.loads(json.dumps(result)) == result
    text = command.render(result)
    assert text
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("command", ONLINE, ids=lambda command: " ".join(command.words))
def test_the_daemon_has_an_operation_for_every_command(command):
    operation = getattr(Operations, _method(command))
    wanted = list(inspect.signature(operation).parameters)[1:]
    assert wanted == [*(parameter.name for parameter in command.parameters), *_told(command)]


def _method(command):
    return "_".join(command.words).replace("-", "_")


def _told(command):
    return [*(["origin"] if command.signed else []), *(["asker"] if command.asks else [])]


@pytest_twisted.ensureDeferred
async def test_addresses_are_normalised():
    house = House()
    arguments = {"owner": "ALICE@Corp.Example/desk", "contact": "Bob@PARTNER.example/phone"}
    await execute(house, ["explain"], {**arguments, "field": "phone.mobile"})
    assert house.asked == [("explain", "alice@corp.example", "bob@partner.example", "phone.mobile")]


@pytest_twisted.ensureDeferred
async def test_everyone_and_whole_domains_can_be_given_a_level():
    house = House()
    await execute(house, ["levels", "set"], {"owner": "everyone", "contact": "*.Ally.example", "level": "team"})
    await execute(house, ["levels", "set"], {"owner": "everyone", "contact": "everyone", "level": "public"})
    by_administrator = (None, None, Origin.ADMINISTRATOR)
    assert house.asked == [
        ("levels_set", "", "*.ally.example", "team", *by_administrator),
        ("levels_set", "", "everyone", "public", *by_administrator),
    ]


@pytest_twisted.ensureDeferred
async def test_a_person_may_ask_about_himself_only():
    house = House()
    alice = Address.parse("alice@corp.example/desk")
    eve = {"owner": "eve@corp.example", "contact": "bob@partner.example", "level": "team", "until": "2h"}
    await execute(house, ["levels", "set"], eve, alice)
    assert house.asked == [
        ("levels_set", "alice@corp.example", "bob@partner.example", "team", "2h", None, Origin.PERSON)
    ]


@pytest.mark.parametrize(
    "command",
    [command for command in COMMANDS if command.where is Where.DAEMON and not command.own],
    ids=lambda command: " ".join(command.words),
)
@pytest_twisted.ensureDeferred
async def test_what_is_the_administrators_is_not_a_persons(command):
    house = House()
    with pytest.raises(CommandError, match="is for administrators"):
        await execute(house, command.words, ARGUMENTS.get(command.words, {}), Address.parse("alice@corp.example"))
    assert not house.asked


@pytest_twisted.ensureDeferred
async def test_an_option_may_be_left_out():
    house = House()
    await execute(house, ["levels", "list"], {})
    await execute(house, ["levels", "list"], {"owner": "everyone"})
    assert house.asked == [("levels_list", None), ("levels_list", "")]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["nothing"], {}),
        (["levels"], {}),
        (["_note"], {}),
        (["table"], {}),
        (["check"], {"sections": []}),
        (["view"], {}),
        (["view"], {**ALICE_BOB, "evil": "1"}),
        (["view"], {**ALICE_BOB, "self": "1"}),
        (["view"], {**ALICE_BOB, "owner": "corp.example"}),
        (["view"], {**ALICE_BOB, "owner": ""}),
        (["view"], {**ALICE_BOB, "owner": 5}),
        (["view"], {**ALICE_BOB, "owner": ["alice@corp.example"]}),
        (["view"], {**ALICE_BOB, "contact": "bob@partner.example\x00"}),
        (["view"], {**ALICE_BOB, "contact": "a" * 5000}),
        (["view"], {**ALICE_BOB, "contact": "@"}),
        (["explain"], {**ALICE_BOB, "field": "everything"}),
        (["explain"], {**ALICE_BOB, "owner": "everyone"}),
        (["partners", "show"], {"domain": "not a domain"}),
        (["levels", "list"], {"owner": {}}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_makes_no_sense_is_refused_before_the_house_hears_of_it(words, arguments):
    house = House()
    with pytest.raises(GatewayError):
        await execute(house, words, arguments)
    assert house.asked == []


def grade(words, result):
    return find(words).grade(result)


def test_grades():
    house = House()
    assert grade(["explain"], house.explain("a", "b", "note")) == 1
    assert grade(["explain"], house.explain("a", "b", None)) == 0
    house.outcome = "sent"
    assert grade(["explain"], house.explain("a", "b", "note")) == 0
    assert grade(["status"], house.status()) == 0
    house.ready = False
    assert grade(["status"], house.status()) == 1
    assert grade(["levels", "unset"], {"changed": False}) == 1
    assert grade(["check"], {"checks": []}) == 0
    assert grade(["check"], {"checks": [{"outcome": "ok"}, {"outcome": "warn"}]}) == 1
    assert grade(["check"], {"checks": [{"outcome": "fail"}, {"outcome": "warn"}]}) == 2


def test_words_are_unique():
    words = [command.words for command in COMMANDS]
    assert len(words) == len(set(words))


def test_an_unknown_command_is_named():
    with pytest.raises(CommandError, match="no command 'levels sett'"):
        find(["levels", "sett"])
