"""What gateway.toml becomes."""

from pathlib import Path

import pytest

from gateway.config import (
    Addresses,
    Auth,
    Config,
    Endpoint,
    InsideAuth,
    InsideComponent,
    InsideServer,
    LogLevel,
    Trust,
    load,
)
from gateway.errors import ConfigError
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD, Assignment, Member, Network, Origin, resolve
from gateway.policy.partners import Lock, Modality, Strangers

from .files import HOUSE, write

COMPONENT = HOUSE[: HOUSE.index("[inside]")]


def test_the_smallest_file_gives_a_house_that_lets_nothing_out(tmp_path: Path) -> None:
    config = load(write(tmp_path))
    assert config.domains == ("corp.example",)
    assert config.default_level == "blocked"
    assert config.levels == STANDARD
    assert (config.locks, config.assignments, dict(config.partners.by_name), dict(config.routes)) == ((), (), {}, {})
    assert config.gateway.log is LogLevel.INFO
    assert config.metrics.listen == Endpoint("127.0.0.1", 8920)
    assert config.xmpp.listen == (Endpoint("::", 5269),)
    assert config.xmpp.listen_tls == ()
    assert isinstance(config.inside, InsideServer)
    assert config.inside.auth is InsideAuth.MINTED
    assert config.inside.connect.of("corp.example") == Endpoint("127.0.0.1", 5269)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(write(tmp_path))
    assert config.state == tmp_path / "state"
    assert config.control == tmp_path / "state" / "control.sock"
    assert config.authority == tmp_path / "state" / "inside-ca"
    assert config.tls.of("corp.example") == (tmp_path / "corp.crt", Path("/keys/corp.key"))


def test_a_further_domain_has_its_own_certificate(tmp_path: Path) -> None:
    house = HOUSE.replace('["corp.example"]', '["corp.example", "chat.corp.example"]')
    extra = '[[tls.extra]]\ndomain = "Chat.Corp.Example"\ncertificate = "chat.crt"\nkey = "chat.key"\n'
    config = load(write(tmp_path, extra, house))
    assert config.tls.of("chat.corp.example") == (tmp_path / "chat.crt", tmp_path / "chat.key")
    assert config.tls.of("corp.example")[0] == tmp_path / "corp.crt"


def test_each_domain_may_have_its_own_server(tmp_path: Path) -> None:
    house = HOUSE.replace('["corp.example"]', '["corp.example", "lab.example"]')
    table = '{ "corp.example" = "[::1]:5269", "lab.example" = "lab.internal.example:5270" }'
    config = load(write(tmp_path, "", house.replace('"127.0.0.1:5269"', table)))
    assert isinstance(config.inside, InsideServer)
    assert config.inside.connect.of("corp.example") == Endpoint("::1", 5269)
    assert config.inside.connect.of("lab.example") == Endpoint("lab.internal.example", 5270)


PARTNER = """
[[partner]]
domain = "Partner.Example"
aliases = ["chat.partner.example"]
network = "enterprise"
ceiling = "public"
modalities = ["presence", "im"]
strangers = "refuse"
locks = ["email"]
rates = { stanzas_per_second = 5, burst_seconds = 2.5 }
auth = ["external", "dialback"]
pins = ["sha256:AB:%s"]
ca = "partner-ca.crt"
route = "192.0.2.10:5270"
direct_tls = true
addresses = "any"
server_only_certificates = false
bidi = false
""" % ("0" * 62)


def test_a_partner_becomes_policy_and_a_route(tmp_path: Path) -> None:
    config = load(write(tmp_path, PARTNER))
    partner = config.partners.of("chat.partner.example")
    assert partner is not None
    assert partner is config.partners.of("partner.example")
    assert partner.name == "partner.example"
    assert partner.network is Network.ENTERPRISE
    assert (partner.ceiling, partner.ceiling_name) == (STANDARD["public"].fields, "public")
    assert partner.modalities == {Modality.PRESENCE, Modality.IM}
    assert partner.strangers is Strangers.REFUSE
    assert (partner.rates.stanzas_per_second, partner.rates.burst_seconds) == (5.0, 2.5)
    route = config.routes["partner.example"]
    assert route.auth == {Auth.EXTERNAL, Auth.DIALBACK}
    assert route.pins == {"ab" + "0" * 62}
    assert route.ca == Trust(False, tmp_path / "partner-ca.crt")
    assert (route.route, route.direct_tls) == (Endpoint("192.0.2.10", 5270), True)
    assert route.addresses is Addresses.ANY
    assert not route.server_only_certificates
    assert not route.bidi
    assert config.locks == (Lock(Field.EMAIL, "partner.example"),)


def test_a_partner_says_little_and_gets_the_careful_defaults(tmp_path: Path) -> None:
    tls = HOUSE.replace("[inside]", 'ca = "ca.crt"\n[inside]')
    config = load(write(tmp_path, '[[partner]]\ndomain = "partner.example"\n', tls))
    partner, route = config.partners.by_name["partner.example"], config.routes["partner.example"]
    assert partner.strangers is Strangers.ASK
    assert Modality.ENCRYPTED not in partner.modalities
    assert route.auth == {Auth.EXTERNAL}
    assert route.addresses is Addresses.PUBLIC
    assert route.ca == Trust(False, tmp_path / "ca.crt")


def test_a_ceiling_may_be_a_list_of_fields(tmp_path: Path) -> None:
    config = load(write(tmp_path, '[[partner]]\ndomain = "partner.example"\nceiling_fields = ["show", "photo"]\n'))
    assert config.partners.by_name["partner.example"].ceiling == {Field.SHOW, Field.PHOTO}


def test_partners_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    ally = '[[partner]]\ndomain = "ally.example"\nca = "ally.crt"\n[[partner]]\ndomain = "other.example"\n'
    config = load(write(tmp_path, PARTNER, ally=ally))
    assert set(config.partners.by_name) == {"partner.example", "ally.example", "other.example"}
    assert config.routes["ally.example"].ca.file == tmp_path / "conf.d" / "ally.crt"


LEVELS = """
[levels.supplier]
fields = ["phone.mobile"]
inherits = "guest"
rank = 120
[levels.guest]
inherits = "public"
fields = ["note"]
[locks]
fields = ["phone.home"]
[defaults]
level = "guest"
[[assignment]]
contact = "*.Ally.Example"
level = "company"
[[assignment]]
contact = "Bob@partner.example"
level = "supplier"
owner = "alice@corp.example"
"""


def test_levels_locks_and_assignments(tmp_path: Path) -> None:
    config = load(write(tmp_path, LEVELS))
    public = STANDARD["public"].fields
    assert config.levels["guest"].fields == public | {Field.NOTE}
    assert config.levels["supplier"].fields == public | {Field.NOTE, Field.PHONE_MOBILE}
    assert (config.levels["supplier"].rank, config.levels["guest"].rank) == (120, 50)
    assert {name: config.levels[name] for name in STANDARD} == STANDARD
    assert config.locks == (Lock(Field.PHONE_HOME),)
    bob = Member.parse("bob@partner.example")
    assert config.assignments == (
        Assignment("", Member.parse("*.ally.example"), "company", Origin.ADMINISTRATOR),
        Assignment("alice@corp.example", bob, "supplier", Origin.ADMINISTRATOR),
    )


def test_the_parts_fit_together_in_policy(tmp_path: Path) -> None:
    config = load(write(tmp_path, LEVELS))

    def level(contact: str) -> str:
        network, now = Network.FEDERATION, 0.0
        address = Address.parse(contact)
        found = resolve(config.assignments, address, network, config.levels, config.default_level, now)
        return found.level.name

    assert level("bob@partner.example") == "supplier"
    assert level("carol@eu.ally.example") == "company"
    assert level("eve@stranger.example") == "guest"


def component(secret: str) -> str:
    return f"""{COMPONENT}[inside]
kind = "xmpp-component"
connect = "127.0.0.1:5347"
name = "gateway.corp.example"
secret = {secret}
"""


@pytest.mark.parametrize("how", ['"canary-7"', '{ file = "secret.txt" }', '{ credential = "component" }'])
def test_the_component_secret_has_three_sources_and_no_repr(tmp_path: Path, how: str) -> None:
    (tmp_path / "secret.txt").write_text("canary-7\n")
    (tmp_path / "component").write_text("canary-7\n")
    config = load(write(tmp_path, "", component(how)), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert isinstance(config.inside, InsideComponent)
    assert config.inside.secret.text == "canary-7"
    assert "canary" not in repr(config)
    assert "canary" not in str(config)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("7310", 'must be a text, { file = "..." } or { credential = "..." }'),
        ('{ file = "absent.txt" }', "No such file or directory"),
        ('{ credential = "component" }', "$CREDENTIALS_DIRECTORY is not set"),
        ('{ credential = "component", text = "canary-7" }', "must be a text"),
    ],
)
def test_a_missing_secret_is_told_and_never_shown(tmp_path: Path, how: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, "", component(how)), {})
    assert why in str(caught.value)
    assert str(caught.value).startswith("gateway.toml:13: [inside] secret: ")
    assert "7310" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    assert load(write(tmp_path, '[metrics]\nlisten = "off"\n')).metrics.listen is None


def test_dns_servers_need_no_port(tmp_path: Path) -> None:
    config: Config = load(write(tmp_path, '[outside.xmpp]\ndns = ["127.0.0.1:5353", "::1", "192.0.2.1"]\n'))
    found = [server.address for server in config.xmpp.dns]
    assert found == [Endpoint("127.0.0.1", 5353), Endpoint("::1", 53), Endpoint("192.0.2.1", 53)]
