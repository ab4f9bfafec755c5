"""The systems of the SIP benchmark: the gateway in two set-ups, and Kamailio as a plain relay over mutual TLS."""

import subprocess
import sys
import time
from pathlib import Path

from tests.bench.gateway_under_test import NOT_DURABLE
from tests.bench.procfs import cpu_nanoseconds
from tests.bench.servers import START_SECONDS, Room

GATEWAY, INSIDE_FACE = "127.0.0.101", "127.0.0.100"
CORP, PARTNER = "127.0.0.201", "127.0.0.202"
RELAY = "127.0.0.30"

CONFIG = """
[gateway]
user = "root"
domains = ["corp.example"]
state = "{home}/state"
log = "warn"
[tls]
certificate = "{pki}/corp.example.crt"
key = "{pki}/corp.example.key"
ca = "{pki}/ca.crt"
{inside}
[outside.xmpp]
listen = ["{gateway}:5269"]
[outside.sip]
listen = ["{gateway}:5061"]
name = "{gateway}"
[limits]
connections_per_address = 3000
connections = 3000
[metrics]
listen = "127.0.0.1:{metrics}"
[[assignment]]
contact = "partner.example"
level = "team"
[[partner]]
domain = "partner.example"
via = "sip"
route = "{partner}:5061"
[partner.rates]
stanzas_per_second = 100000
subscriptions_per_minute = 100000
"""
XMPP_INSIDE = """[inside]
kind = "xmpp-server"
connect = "{corp}:5269"
listen = ["{face}:5269"]
ca = "{pki}/ca.crt"
"""
SIP_INSIDE = """[inside]
kind = "sip"
connect = "{corp}:5061"
listen = ["{face}:5061"]
ca = "{pki}/ca.crt"
"""
KAMAILIO = """
debug=0
log_stderror=yes
children=1
tcp_children=2
enable_tls=yes
listen=tls:{relay}:5061
tcp_async=yes
tcp_conn_wq_max=4194304
tcp_wq_max=16777216
tcp_rd_buf_size=65536
dns=no
rev_dns=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "tls.so"
modparam("tls", "config", "{home}/tls.cfg")
modparam("tls", "tls_force_run", 1)
modparam("tls", "con_ct_wq_max", 4194304)
modparam("tls", "ct_wq_max", 16777216)
request_route {{
    if (!mf_process_maxfwd_header("10")) exit;
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    $du = "sip:{partner}:5061;transport=tls";
    if (!t_relay()) sl_reply_error();
}}
"""
KAMAILIO_TLS = """[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = {pki}/corp.example.key
certificate = {pki}/corp.example.crt
ca_list = {pki}/ca.crt
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = {pki}/corp.example.key
certificate = {pki}/corp.example.crt
ca_list = {pki}/ca.crt
"""


def start_gateway(
    room: Room, name: str, inside: str, core: int, metrics: int, profile: Path | None = None, extra: str = NOT_DURABLE
) -> subprocess.Popen[bytes]:
    """Start a gateway pinned to `core`; RuntimeError when it ends, TimeoutError when its control socket is missing.

    With `profile` it runs under cProfile, which slows it down and writes to that folder when it ends.
    """
    home, pki = room.home(name), room.authority.directory
    (home / "state").mkdir(mode=0o700)
    shown = inside.format(corp=CORP, face=INSIDE_FACE, pki=pki)
    values = {"home": home, "pki": pki, "gateway": GATEWAY, "partner": PARTNER, "metrics": metrics}
    (home / "gateway.toml").write_text(CONFIG.format(inside=shown, **values) + extra)
    start = "import sys; from gateway.cli import main; sys.exit(main())"
    if profile is not None:
        where = str(profile / f"{name}.prof")
        start = f"import cProfile; from gateway.cli import main; cProfile.run('main()', {where!r})"
    command = ["taskset", "-c", str(core), sys.executable, "-c", start, "run", "--config", str(home / "gateway.toml")]
    process = room.spawn(command, name)
    deadline = time.monotonic() + START_SECONDS
    while not (home / "state" / "control.sock").is_socket():
        if process.poll() is not None:
            raise RuntimeError((room.folder / f"{name}.out").read_text(errors="replace")[-2000:])
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} has no control socket after {START_SECONDS} s")
        time.sleep(0.1)
    return process


def start_kamailio(room: Room, core: int) -> subprocess.Popen[bytes]:
    """Start a relay pinned to `core`."""
    home = room.home("kamailio")
    values = {"home": home, "pki": room.authority.directory, "relay": RELAY, "partner": PARTNER}
    (home / "tls.cfg").write_text(KAMAILIO_TLS.format(**values))
    (home / "kamailio.cfg").write_text(KAMAILIO.format(**values))
    argv = ["kamailio", "-f", str(home / "kamailio.cfg"), "-DD", "-E", "-m", "512", "-M", "16", "-Y", str(home)]
    process = room.spawn(["taskset", "-c", str(core), *argv], "kamailio")
    time.sleep(3.0)
    if process.poll() is not None:
        raise RuntimeError((room.folder / "kamailio.out").read_text(errors="replace")[-2000:])
    return process


def cpu_of_all(pid: int) -> int:
    """Return the CPU time of a process and its descendants in nanoseconds."""
    total = cpu_nanoseconds(pid)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        total += cpu_of_all(int(child))
    return total
