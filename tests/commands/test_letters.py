"""What the other side's administrator is sent, and what the echo adds to a test."""

from attrs import define
from pytest_twisted import ensureDeferred

from gateway.commands.letters import echo_findings, letter

OK = {"name": "dns", "outcome": "ok", "text": "found", "paste": None}
BAD = {"name": "connect", "outcome": "fail", "text": "refused", "paste": "open the port"}
LATE = {"name": "certificate", "outcome": "warn", "text": "ends soon", "paste": None}


@define
class Echoes:
    """Answers, or does not."""

    address: str = "echo@corp.example"
    ago: float | None = None
    fails: str = ""

    async def try_out(self, domain: str) -> float:
        if self.fails:
            raise ValueError(self.fails)
        return 0.0123

    def heard_ago(self, domain: str) -> float | None:
        return self.ago


def test_a_letter_says_what_worked_what_failed_and_what_to_do_first() -> None:
    text = letter("corp.example", "partner.example", [OK, LATE, BAD], ["Dana Duty"])
    assert text.startswith("To: Dana Duty\nSubject: federation between corp.example and partner.example\n")
    for part in ("[ok  ] dns: found", "[warn] certificate: ends soon", "[fail] connect: refused", "open the port"):
        assert part in text
    assert "The first that has to be repaired is: connect." in text
    assert "To the administrator of partner.example" in letter("corp.example", "partner.example", [LATE])


def test_there_is_no_letter_when_everything_is_well() -> None:
    assert letter("corp.example", "partner.example", [OK]) == ""


@ensureDeferred
async def test_the_echo_is_timed_and_its_absence_is_no_fault() -> None:
    there, here = await echo_findings(Echoes(ago=5.0), "partner.example")
    assert "answered after 12 ms" in there["text"] and "5 s ago" in here["text"]
    there, here = await echo_findings(Echoes(fails="no answer in 10 s"), "partner.example")
    assert "no answer in 10 s" in there["text"] and there["outcome"] == here["outcome"] == "ok"
    assert await echo_findings(Echoes(address=""), "partner.example") == []
