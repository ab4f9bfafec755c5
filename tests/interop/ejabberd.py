"""ejabberd as a peer: its configuration, its accounts, its HTTP API."""

import json
import shutil
from pathlib import Path
from typing import Any

from .namespace import Namespace
from .process import LabError, Process
from .server import COMPONENT_PORT, DIRECT_TLS_PORT, Server
from .web import request

_API_PORT = 5280
_USER = "ejabberd"
_MODULES: dict[str, dict[str, Any]] = {
    **{f"mod_{name}": {} for name in ("disco", "ping", "roster", "vcard", "last", "offline", "caps", "private")},
    **{f"mod_{name}": {} for name in ("privacy", "blocking", "carboncopy", "version", "time", "admin_extra")},
    "mod_http_api": {},
    "mod_pubsub": {"plugins": ["flat", "pep"]},
}
# one scheduler that does not spin: several Erlang nodes share two cores with the tests
_FLAGS = "+S 1:1 +SDcpu 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none -env ERL_CRASH_DUMP_BYTES 0"


class Ejabberd(Server):
    """An ejabberd that serves one domain; it runs as its own user and asks DNS without /etc/resolv.conf."""

    kind = "ejabberd"
    timeout = 40.0
    _registered = False

    def prepare(self) -> Process:
        """Write the configuration and give the folder to ejabberd's user."""
        folder = self.site.folder
        spool = folder / "spool"
        for path in (spool, self._logs):
            path.mkdir(exist_ok=True)
        (folder / "ejabberd.yml").write_text(json.dumps(self._configuration(), indent=1))
        (folder / "inetrc").write_text(self._inetrc())
        (folder / "ejabberdctl.cfg").write_text(self._control())
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, _USER, _USER)
        argv = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--init-groups", "ejabberdctl"]
        argv += ["--config-dir", str(folder), "--ctl-config", str(folder / "ejabberdctl.cfg")]
        argv += [
            "--config",
            str(folder / "ejabberd.yml"),
            "--logs",
            str(self._logs),
            "--spool",
            str(spool),
            "foreground",
        ]
        return self.process_for(argv, {"HOME": str(spool)})

    @property
    def _logs(self) -> Path:
        return self.site.folder / "log"

    @property
    def log(self) -> str:
        """What it logged so far."""
        path = self._logs / "ejabberd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def ready(self) -> bool:
        """Whether it serves clients and servers and knows its users."""
        if not super().ready() or not self.site.namespace.answers(self.address, _API_PORT):
            return False
        if not self._registered:
            for user, password in self.plan.users.items():
                self.api("register", user=user, host=self.domain, password=password)
            self._registered = True
        return True

    def api(self, command: str, **arguments: object) -> Any:
        """The answer to an administration command, e.g. api("get_roster", user=…, server=…); raises LabError."""
        body = json.dumps(arguments).encode()
        namespace: Namespace = self.site.namespace
        status, text = request(namespace, "POST", f"http://{self.address}:{_API_PORT}/api/{command}", body)
        if status != 200:
            raise LabError(f"{self.domain}: {command} answered {status}: {text}")
        return json.loads(text)

    def _inetrc(self) -> str:
        nameserver = ",".join(self.site.nameserver.split("."))
        # without the host entry "localhost" stops resolving, because no hosts file is read
        return (
            f"{{lookup, [file, dns]}}.\n{{nameserver, {{{nameserver}}}}}.\n{{timeout, 2000}}.\n{{retry, 2}}.\n"
            '{resolv_conf, ""}.\n{hosts_file, ""}.\n{host, {127,0,0,1}, ["localhost"]}.\n'
        )

    def _control(self) -> str:
        last = self.address.rsplit(".", 1)[1]
        return (
            f"ERLANG_NODE=ejabberd@{self.address}\nERL_DIST_PORT={6000 + int(last)}\n"
            f'EJABBERD_PID_PATH={self.site.folder}/ejabberd.pid\nERL_OPTIONS="{_FLAGS}"\n'
        )

    def _configuration(self) -> dict[str, Any]:
        modules = {**_MODULES, **{name: {} for name in self.plan.modules}}
        if self.plan.dialback:
            modules["mod_s2s_dialback"] = {}
        return {
            "loglevel": "info",
            "hosts": [self.domain],
            "certfiles": [str(self.site.leaf.pem)],
            "ca_file": str(self.site.trust),
            "s2s_use_starttls": "required",
            # the stock delay after a failed connection is minutes
            "s2s_max_retry_delay": 1,
            "auth_method": ["internal"],
            "shaper_rules": {"c2s_shaper": "none", "s2s_shaper": "none", "component_shaper": "none"},
            "access_rules": {"local": {"allow": "all"}, "pubsub_createnode": {"allow": "all"}},
            "api_permissions": {"lab": {"from": ["mod_http_api"], "who": "all", "what": "*"}},
            "listen": self._listeners(),
            "modules": modules,
            **json.loads(self.plan.extra or "{}"),
        }

    def _listeners(self) -> list[dict[str, Any]]:
        here = {"ip": self.address}
        listeners: list[dict[str, Any]] = [
            {**here, "port": 5222, "module": "ejabberd_c2s", "starttls": True},
            {**here, "port": 5269, "module": "ejabberd_s2s_in"},
            {**here, "port": _API_PORT, "module": "ejabberd_http", "request_handlers": {"/api": "mod_http_api"}},
        ]
        if self.plan.direct_tls:
            listeners.append({**here, "port": DIRECT_TLS_PORT, "module": "ejabberd_s2s_in", "tls": True})
        if self.plan.components:
            hosts = {name: {"password": secret} for name, secret in self.plan.components.items()}
            component = {"module": "ejabberd_service", "global_routes": False, "hosts": hosts}
            listeners.append({**here, "port": COMPONENT_PORT, **component})
        return listeners
