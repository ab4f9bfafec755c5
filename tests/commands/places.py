"""A configuration whose every part is well, to be spoilt by a test."""

import socket
from pathlib import Path

from attrs import define

from gateway.config import Config, load
from gateway.transport.authority import CertificateAuthority
from gateway.transport.queries import Failed, Records


@define
class Place:
    """A gateway.toml with its certificate, state folder and an inside server that listens."""

    folder: Path
    inside: socket.socket

    @property
    def path(self) -> Path:
        return self.folder / "gateway.toml"

    def write(self, more: str = "", **replaced: str) -> Path:
        port = self.inside.getsockname()[1]
        text = f"""
[gateway]
domains = ["corp.example"]
state = "state"

[tls]
certificate = "corp.example.crt"
key = "corp.example.key"

[inside]
kind = "xmpp-server"
connect = "127.0.0.1:{port}"
listen = ["127.0.0.100:5269"]
auth = "dialback"
{more}
"""
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        self.path.write_text(text)
        return self.path

    def config(self, more: str = "") -> Config:
        return load(self.write(more))


def made(folder: Path) -> Place:
    """Makes everything that the configuration names."""
    CertificateAuthority.open(folder / "ca").write_leaf("corp.example", folder)
    (folder / "state").mkdir(mode=0o700)
    inside = socket.create_server(("127.0.0.1", 0))
    return Place(folder, inside)


class Names:
    """The DNS as a test wants it: SRV records and addresses by name; a name that maps to None does not answer."""

    def __init__(self, services=None, addresses=None, associations=None):
        self._associations = associations or {}
        self._services = services or {}
        self._addresses = addresses or {}

    def services(self, name):
        return self._found(self._services, name)

    def addresses(self, host):
        return self._found(self._addresses, host)

    def associations(self, host, port, *, validated=True):
        assert not validated
        return self._found(self._associations, f"{host}:{port}")

    def _found(self, table, name):
        values = table.get(name, ())
        if values is None:
            raise Failed(f"no answer for {name}")
        return Records(tuple(values), 60.0)
