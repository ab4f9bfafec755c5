"""Presence rules given to a running gateway: what the contact sees on the wire is what they mean."""

import json

import pytest

from tests.protocols.pres_rules.rule_documents import rule, ruleset

from .lab import Lab
from .scene import READY, befriend, configuration, give, inside_trust, of, partner

pytestmark = pytest.mark.interop

ALICE, BOB = "alice@corp.example", "bob@partner.example"
CONTAINERS = """<setContainerMembers xmlns="http://schemas.microsoft.com/2006/09/sip/container-management">
<container id="400"><member action="add" type="user" value="bob@partner.example"/></container>
</setContainerMembers>"""


def test_imported_levels_count_on_the_wire_and_come_out_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rules")
    rules, containers, back = folder / "rules.xml", folder / "containers.xml", folder / "back.xml"
    rules.write_bytes(ruleset(rule(handling="polite-block")))
    containers.write_text(CONTAINERS)
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        gateway = lab.gateway(configuration(lab, partner("partner.example")), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        lab.prosody("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.ready()
        alice, bob = lab.online(ALICE, BOB)
        befriend(alice, bob)
        give(gateway, ALICE, BOB, "public")
        alice.presence("away", "in the garden")
        bob.wait_for(lambda got: "<show>away</show>" in got.xml)
        mark = bob.mark()
        tried = gateway.command("levels", "import", ALICE, str(rules), "--dry-run")
        assert (tried.returncode, tried.stderr) == (1, ""), "the default shows more than no rule does: it is told"
        assert "public" in tried.stdout and "nothing is kept" in tried.stdout
        assert "they grant everyone nothing" in tried.stdout
        assert gateway.command("levels", "import", ALICE, str(rules)).returncode == 1
        bob.wait_for(of(ALICE, type="unavailable"), after=mark)
        mark = bob.mark()
        done = gateway.command("levels", "import", ALICE, str(containers), "--format", "containers", "--json")
        assert json.loads(done.stdout)["changes"] == [
            {"contact": BOB, "before": "blocked", "after": "personal", "until": None}
        ]
        bob.wait_for(lambda got: "in the garden" in got.xml, after=mark)
        back.write_text(gateway.command("levels", "export", ALICE).stdout)
        again = gateway.command("levels", "import", ALICE, str(back), "--dry-run")
        assert "nothing changes" in again.stdout and again.returncode == 0, again.stdout
        rules.write_bytes(b"<ruleset/>")
        refused = gateway.command("levels", "import", ALICE, str(rules))
        assert refused.returncode == 2 and "not a set of rules" in refused.stderr
