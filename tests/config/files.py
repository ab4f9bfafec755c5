"""A small configuration to begin from."""

from pathlib import Path

HOUSE = """\
[gateway]
domains = ["corp.example"]
state = "state"

[tls]
certificate = "corp.crt"
key = "/keys/corp.key"

[inside]
kind = "xmpp-server"
connect = "127.0.0.1:5269"
listen = ["127.0.0.100:5269"]
"""
"""Twelve lines; what follows begins on line 13."""


def write(folder: Path, more: str = "", house: str = HOUSE, **parts: str) -> Path:
    """Writes gateway.toml and conf.d/NAME.toml, and gives the path of the first."""
    folder.mkdir(exist_ok=True)
    path = folder / "gateway.toml"
    path.write_text(house + more)
    for name, text in parts.items():
        (folder / "conf.d").mkdir(exist_ok=True)
        (folder / "conf.d" / f"{name}.toml").write_text(text)
    return path
