"""A configuration as one thing: read, told apart, and put in the place of another whole or not at all."""

import os
from pathlib import Path

import pytest

from gateway.config import bundle as bundles
from gateway.config import load, load_bundle
from gateway.config.bundle import Bundle, fingerprint, replace, restore_interrupted
from gateway.errors import ConfigError
from tests.config.files import HOUSE

OLD = Bundle("# old\n", {"a.toml": "# a\n", "b.toml": "# b\n"})
NEW = Bundle("# new\n", {"b.toml": "# b2\n", "c.toml": "# c\n"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    found = tmp_path / "gateway.toml"
    found.write_text(OLD.main)
    found.chmod(0o640)
    for name, text in OLD.partners.items():
        (tmp_path / "conf.d" / name).write_text(text)
    return found


def test_a_bundle_is_what_stands_on_the_disk_and_travels_as_text(path: Path) -> None:
    assert Bundle.of(path) == OLD == Bundle.parse(OLD.written())
    assert OLD.fingerprint("gateway.toml") == fingerprint(path)
    assert OLD.fingerprint("gateway.toml") != NEW.fingerprint("gateway.toml")


def test_one_takes_the_place_of_another(path: Path) -> None:
    replace(path, NEW)
    assert Bundle.of(path) == NEW
    assert sorted(each.name for each in path.parent.rglob("*")) == ["b.toml", "c.toml", "conf.d", "gateway.toml"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert (path.parent / "conf.d" / "c.toml").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_leaves_all_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = bundles._write

    def full(place: Path, text: str, mode: int) -> None:
        if text == NEW.main:
            raise OSError(28, "No space left on device", str(place))
        write(place, text, mode)

    monkeypatch.setattr(bundles, "_write", full)
    with pytest.raises(ConfigError, match="No space left"):
        replace(path, NEW)
    assert Bundle.of(path) == OLD and not restore_interrupted(path)


def test_what_was_interrupted_is_restored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(place: Path, text: str, mode: int) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        write = bundles._write
        patched.setattr(bundles, "_write", lambda p, t, m: cut(p, t, m) if t == NEW.main else write(p, t, m))
        with pytest.raises(SystemExit):
            replace(path, NEW)
    assert Bundle.of(path) not in (OLD, NEW)
    assert (path.parent / "gateway.toml.before").stat().st_mode & 0o777 == 0o600
    assert restore_interrupted(path)
    assert Bundle.of(path) == OLD
    assert not restore_interrupted(path)


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "gateway.toml"
    link.parent.mkdir()
    os.symlink(path, link)
    replace(link, NEW)
    assert link.is_symlink() and path.read_text() == NEW.main


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"main": 1, "partners": {}}',
        '{"main": "", "partners": {"a.toml": 1}}',
        '{"main": "", "partners": {"../a.toml": ""}}',
        '{"main": "", "partners": {"a.txt": ""}}',
        '{"main": "", "partners": {".a.toml": ""}}',
    ],
)
def test_what_is_no_bundle_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Bundle.parse(text)


def test_a_bundle_is_read_as_though_it_stood_in_the_place_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(HOUSE)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "p.toml").write_text('domain = "partner.example"\n')
    there, here = load(path), load_bundle(Bundle.of(path), path)
    assert there.partners.by_name == here.partners.by_name and there.tls == here.tls
    broken = Bundle(HOUSE, {"p.toml": "domain = 7\n"})
    with pytest.raises(ConfigError, match="conf.d/p.toml:1"):
        load_bundle(broken, path)
