"""The tables [history] and [notice], and settings for one person."""

from pathlib import Path

import pytest

from gateway.config import changes, load
from gateway.config.recording import MailLogin, MailTls
from gateway.config.values import Endpoint
from gateway.errors import ConfigError
from gateway.policy.settings import Feature, Rule

from .files import write

HISTORY = '[history]\nserver = "imap.corp.example:993"\nsecret = "pw"\n'


def test_nothing_is_kept_unless_there_is_a_server(tmp_path: Path) -> None:
    history = load(write(tmp_path)).history
    assert history.server is None and history.folder == "Conversation History"
    assert history.tls is MailTls.DIRECT and history.method is MailLogin.PASSWORD


def test_a_mail_server(tmp_path: Path) -> None:
    text = HISTORY + 'tls = "starttls"\nmethod = "xoauth2"\nlogin = "{address}*gateway"\n'
    history = load(write(tmp_path, text)).history
    assert history.server == Endpoint("imap.corp.example", 993)
    assert (history.tls, history.method, history.login) == (MailTls.STARTTLS, MailLogin.XOAUTH2, "{address}*gateway")
    assert "pw" not in repr(history)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[history]\nserver = "imap.corp.example:993"\n', "needs a secret"),
        (HISTORY + 'ca = "none"\n', "always verified"),
        (HISTORY + 'login = "{adress}"\n', "stands for nothing"),
        ('[notice]\ntext = { "not a language" = "x" }\n', "no language tag"),
        ('[[setting]]\nof = ["history"]\non = true\nperson = "bob@partner.example"\n', "not one of our domains"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(write(tmp_path, text))


def test_history_is_a_setting_of_a_person(tmp_path: Path) -> None:
    text = '[[setting]]\nof = ["history"]\non = true\nperson = "alice@corp.example"\nlocked = true\n'
    config = load(write(tmp_path, text))
    assert config.settings == (Rule(Feature.HISTORY, True, locked=True, person="alice@corp.example"),)
    (tmp_path / "other").mkdir()
    told = changes(load(write(tmp_path / "other")), config)
    assert "setting history on for alice@corp.example, locked added" in told


def test_a_change_of_the_text_is_told_and_needs_no_restart(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    old = load(write(tmp_path))
    new = load(write(tmp_path / "new", '[notice]\ntext = { en = "Kept." }\n'))
    assert any(each.startswith("notice.text") and "restart" not in each for each in changes(old, new))
