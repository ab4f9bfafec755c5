"""Prosody as a peer: its configuration, its certificates, its accounts."""

import json
import shutil
from pathlib import Path

from .process import Process
from .server import COMPONENT_PORT, DIRECT_TLS_PORT, Server

_MODULES = (
    *("roster", "saslauth", "tls", "disco", "ping", "pep", "vcard4", "vcard_legacy", "lastactivity"),
    *("version", "time", "uptime", "blocklist", "private", "carbons", "smacks", "posix"),
)


def _lua(value: object) -> str:
    """`value` as Lua writes it; JSON strings, numbers and booleans are Lua too."""
    if isinstance(value, tuple | list):
        return "{ " + "; ".join(_lua(item) for item in value) + " }"
    if isinstance(value, dict):
        return "{ " + "; ".join(f"{name} = {_lua(item)}" for name, item in value.items()) + " }"
    return json.dumps(value if isinstance(value, bool | int) else str(value))


def _escaped(name: str) -> str:
    """A name as Prosody's internal storage writes it in a path."""
    return "".join(char if char.isascii() and char.isalnum() else f"%{ord(char):02x}" for char in name)


class Prosody(Server):
    """A Prosody that serves one domain."""

    kind = "prosody"

    def prepare(self) -> Process:
        """Write configuration, certificates and accounts below the site's folder."""
        for domain in (self.domain, *self.plan.components):
            self._certify(domain)
        for user, password in self.plan.users.items():
            self._register(user, password)
        path = self.site.folder / "prosody.cfg.lua"
        path.write_text(self._configuration())
        return self.process_for(["prosody", "-F", "--config", str(path)])

    def _certify(self, domain: str) -> None:
        certificates = self.site.folder / "certs"
        certificates.mkdir(exist_ok=True)
        shutil.copy(self.site.leaf.chain, certificates / f"{domain}.crt")
        shutil.copy(self.site.leaf.key, certificates / f"{domain}.key")

    def _register(self, user: str, password: str) -> None:
        accounts = self.site.folder / "storage" / _escaped(self.domain) / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        (accounts / f"{_escaped(user)}.dat").write_text(f'return {{ ["password"] = {_lua(password)}; }};\n')

    def _configuration(self) -> str:
        lines = [f"{name} = {_lua(value)}" for name, value in self._settings().items()]
        lines += [self.plan.extra, f"VirtualHost {_lua(self.domain)}"]
        for component, secret in self.plan.components.items():
            lines += [f"Component {_lua(component)}", f"  component_secret = {_lua(secret)}"]
        return "\n".join(lines) + "\n"

    def _settings(self) -> dict[str, object]:
        folder: Path = self.site.folder
        switched = {"dialback": self.plan.dialback, "s2s_bidi": self.plan.bidi}
        here = (self.address,)
        return {
            "run_as_root": True,
            "data_path": folder / "storage",
            "certificates": folder / "certs",
            "admin_socket": folder / "admin.sock",
            "interfaces": here,
            "local_interfaces": here,
            "component_interfaces": here,
            "component_ports": (COMPONENT_PORT,),
            "s2s_direct_tls_ports": (DIRECT_TLS_PORT,) if self.plan.direct_tls else (),
            "use_ipv6": False,
            # Nagle and delayed acknowledgements together cost 40 ms a stanza
            "network_settings": {"nagle": False},
            "modules_enabled": (*_MODULES, *self.plan.modules, *(name for name, on in switched.items() if on)),
            "modules_disabled": tuple(name for name, on in switched.items() if not on),
            "authentication": "internal_plain",
            "storage": "internal",
            "c2s_require_encryption": False,
            "allow_unencrypted_plain_auth": True,
            "s2s_require_encryption": True,
            "s2s_secure_auth": self.plan.secure_auth,
            "ssl": {"cafile": self.site.trust, "capath": "/nonexistent"},
            "log": {"debug": "*console"},
        }
