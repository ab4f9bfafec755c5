"""What a reload says that it changes."""

from pathlib import Path

from gateway.config import changes, load, restart_needed

from .files import HOUSE, write

OLD = """
[defaults]
level = "blocked"
[levels.gold]
fields = ["note"]
[levels.old]
[locks]
fields = ["email"]
[[assignment]]
contact = "ally.example"
level = "team"
[[partner]]
domain = "partner.example"
ceiling = "team"
[[partner]]
domain = "gone.example"
"""
NEW = """
[defaults]
level = "public"
[levels.gold]
fields = ["note", "photo"]
[levels.fresh]
[locks]
fields = ["photo"]
[[assignment]]
contact = "ally.example"
level = "public"
[[partner]]
domain = "partner.example"
ceiling = "public"
bidi = false
[[partner]]
domain = "fresh.example"
locks = ["note"]
[limits]
queue_stanzas = 5
[metrics]
listen = "off"
"""


def test_nothing_changes_when_nothing_changed(tmp_path: Path) -> None:
    path = write(tmp_path, OLD)
    assert changes(load(path), load(path)) == []
    assert restart_needed(load(path), load(path)) == []


def test_every_difference_is_told(tmp_path: Path) -> None:
    old, new = load(write(tmp_path, OLD)), load(write(tmp_path, NEW, HOUSE.replace("corp.crt", "other.crt")))
    assert changes(old, new) == [
        f'tls.certificate "{tmp_path}/corp.crt" -> "{tmp_path}/other.crt"',
        "limits.queue_stanzas 1000 -> 5",
        'metrics.listen "127.0.0.1:8920" -> (none) (after a restart)',
        'defaults.level "blocked" -> "public"',
        "partner fresh.example added",
        "partner gone.example removed",
        "partner partner.example changed: ceiling, bidi",
        "level fresh added",
        "level gold changed: fields",
        "level old removed",
        "lock email for everybody removed",
        "lock note for fresh.example added",
        "lock photo for everybody added",
        "assignment ally.example = team for everybody removed",
        "assignment ally.example = public for everybody added",
    ]
    assert restart_needed(old, new) == ["metrics.listen"]


def test_addresses_and_domains_need_a_restart(tmp_path: Path) -> None:
    old = load(write(tmp_path))
    house = HOUSE.replace('["corp.example"]', '["corp.example", "lab.example"]').replace("127.0.0.100", "127.0.0.101")
    new = load(write(tmp_path, '[outside.xmpp]\nlisten = ["0.0.0.0:5269"]\n', house))
    assert restart_needed(old, new) == ["gateway.domains", "inside.listen", "outside.xmpp.listen"]


def test_a_changed_secret_is_told_but_not_shown(tmp_path: Path) -> None:
    house = HOUSE[: HOUSE.index("[inside]")] + (
        '[inside]\nkind = "xmpp-component"\n'
        'connect = "[::1]:5347"\nname = "gateway.corp.example"\nsecret = "canary-%d"\n'
    )
    server = load(write(tmp_path))
    old, new = load(write(tmp_path, "", house % 1)), load(write(tmp_path, "", house % 2))
    assert changes(old, new) == ["inside.secret is another (after a restart)"]
    assert changes(server, new) == ['inside.kind "xmpp-server" -> "xmpp-component" (after a restart)']
