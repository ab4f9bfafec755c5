"""What is installed for the tests, and what is said when it cannot be."""

import pytest

from . import install_peers
from .install_peers import Need, main, missing

_ABSENT = Need("no-such-package", "no-such-program", "the tests of nothing")
_FILE = Need("no-such-library", "/no/such/file", "the tests of nothing")


@pytest.fixture(autouse=True)
def without_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are not about where they run."""
    monkeypatch.delenv("CI", raising=False)


def test_what_is_there_needs_no_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(install_peers, "NEEDS", (Need("bash", "sh", "everything"), Need("files", "/etc", "all")))
    monkeypatch.setattr(install_peers, "install", lambda packages: pytest.fail("nothing is to be installed"))
    assert main() == 0 and capsys.readouterr().out == ""


def test_one_line_for_each_thing_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(install_peers, "NEEDS", (_ABSENT, _FILE))
    monkeypatch.setattr(install_peers, "obstacle", lambda: "only root may install it")
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "the tests of nothing" in lines[0] and "only root" in lines[0]
    assert lines[0].endswith("apt-get install no-such-package")


def test_ci_leaves_out_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_peers, "NEEDS", (_ABSENT,))
    monkeypatch.setattr(install_peers, "obstacle", lambda: "there is no apt-get here")
    monkeypatch.setenv("CI", "true")
    assert main() == 1


def test_only_what_is_missing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def install(packages: list[str]) -> str:
        asked.extend(packages)
        monkeypatch.setattr(install_peers, "NEEDS", ())
        return ""

    monkeypatch.setattr(install_peers, "NEEDS", (Need("bash", "sh", "everything"), _ABSENT))
    monkeypatch.setattr(install_peers, "obstacle", str)
    monkeypatch.setattr(install_peers, "install", install)
    assert main() == 0 and asked == ["no-such-package"] and missing() == []
