"""A real Dovecot with TLS: passwords, a master user, tokens; each user's mail in a folder of its own."""

import base64
import hashlib
import hmac
import json
import mailbox
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from attrs import define, field

from .process import Process

PASSWORD, MASTER, MASTER_PASSWORD, KEY = "pw-of-all", "gateway", "pw-of-master", b"key-of-tokens"
_MAIL_USER = 65534
_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
auth_verbose = yes
protocols = imap
listen = {address}
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = yes
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1000
auth_mechanisms = plain {mechanisms}
auth_master_user_separator = *
passdb {{
  driver = passwd-file
  mechanisms = plain
  master = yes
  args = {folder}/masters
}}
passdb {{
  driver = passwd-file
  mechanisms = plain
  args = {folder}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={folder}/mail/%u
}}
{more}
service imap-login {{
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""
_TOKENS = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = email
"""


@define
class Dovecot:
    """Serves on `port` with TLS at once, on `plain_port` with STARTTLS; its files are gone after `kill`."""

    certificate: Path
    key: Path
    address: str = "127.0.0.1"
    port: int = 10993
    plain_port: int = 10143
    users: tuple[str, ...] = ("alice@corp.example",)
    more: str = ""
    """Further lines of its configuration."""
    mechanisms: str = "xoauth2"
    inside: Callable[..., list[str]] = lambda *argv: list(argv)
    """Puts a command into a namespace."""
    folder: Path = field(init=False, factory=lambda: Path(tempfile.mkdtemp(prefix="dovecot-")))
    process: Process = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder.chmod(0o711)
        for name in ("mail", "keys/default/HS256"):
            (self.folder / name).mkdir(parents=True)
        os.chown(self.folder / "mail", _MAIL_USER, _MAIL_USER)
        self._write("users", "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in self.users))
        self._write("masters", f"{MASTER}:{{PLAIN}}{MASTER_PASSWORD}\n")
        self._write("keys/default/HS256/default", base64.b64encode(KEY).decode())
        self._write("oauth2.conf", _TOKENS.format(folder=self.folder))
        parts: Mapping[str, object] = {
            **{name: getattr(self, name) for name in ("folder", "address", "port", "plain_port", "certificate", "key")},
            "mechanisms": self.mechanisms,
            "uid": _MAIL_USER,
            "more": self.more,
        }
        self._write("dovecot.conf", _CONFIG.format(**parts))
        argv = self.inside("dovecot", "-F", "-c", str(self.folder / "dovecot.conf"))
        self.process = Process("dovecot", argv, self.folder / "dovecot.out")

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.process.start()
        self.process.await_ready(lambda: "starting up" in self.log, 10.0)

    @property
    def log(self) -> str:
        """Everything it wrote."""
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else self.process.text()

    def stop(self) -> None:
        """End it; its mail stays, for another start."""
        self.process.stop()
        (self.folder / "dovecot.log").unlink(missing_ok=True)

    def kill(self) -> None:
        """End it and remove its files."""
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def messages(self, user: str, folder: str = "Conversation History") -> list[EmailMessage]:
        """What is in a folder of a user's mailbox, read from the disk."""
        path = self.folder / "mail" / user / f".{folder}"
        if not path.is_dir():
            return []
        parser = BytesParser(EmailMessage, policy=default)
        return [parser.parsebytes(found.as_bytes()) for found in mailbox.Maildir(path, create=False)]

    def subscriptions(self, user: str) -> str:
        """The folders that a user's mail program shows."""
        path = self.folder / "mail" / user / "subscriptions"
        return path.read_text() if path.exists() else ""

    def token(self, user: str) -> str:
        """A token with which a user is let in."""
        head, claims = (
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in (
                {"alg": "HS256", "typ": "JWT"},
                {"sub": user, "email": user, "exp": 4_000_000_000, "scope": "x" * 60},
            )
        )
        seal = hmac.new(KEY, head + b"." + claims, hashlib.sha256).digest()
        return (head + b"." + claims + b"." + base64.urlsafe_b64encode(seal).rstrip(b"=")).decode()
