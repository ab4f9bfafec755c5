"""The doors towards partners under sslyze: `python -m tests.audit SSLYZE` exits with 1 when one is weak."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway.transport.authority import CertificateAuthority

START = """
import sys
from pathlib import Path
from gateway.serving import run
sys.exit(run(Path(sys.argv[1])))
"""
CONFIG = """
[gateway]
user = "root"
domains = ["corp.example"]
state = "{folder}/state"
[tls]
certificate = "{folder}/corp.example.crt"
key = "{folder}/corp.example.key"
ca = "{folder}/ca/ca.crt"
[inside]
kind = "xmpp-server"
connect = "127.0.0.1:1"
listen = ["127.0.0.1:{inside}"]
pins = ["sha256:{pin}"]
[outside.xmpp]
listen = ["127.0.0.1:{starttls}"]
listen_tls = ["127.0.0.1:{direct}"]
[outside.sip]
listen = ["127.0.0.1:{sip}"]
[[partner]]
domain = "partner.example"
via = "sip"
[limits]
connections_per_address = 200
"""
WEAK = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1")
LOOKED_AT = (
    "--sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --compression --early_data --openssl_ccs"
    " --heartbleed --robot --reneg"
)
DOORS = ("starttls", "direct", "sip")


def main(sslyze: str) -> int:
    """Starts a gateway, scans its doors, says what is weak; gives the exit status."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ports = _free_ports(("inside", *DOORS))
        authority = CertificateAuthority.open(folder / "ca")
        for domain in ("corp.example", "partner.example"):
            authority.write_leaf(domain, folder)
        (folder / "gateway.toml").write_text(CONFIG.format(folder=folder, pin="0" * 64, **ports))
        gateway = subprocess.Popen([sys.executable, "-c", START, str(folder / "gateway.toml")])
        try:
            _await(ports["sip"], gateway)
            findings = [found for door in DOORS for found in _scanned(sslyze, door, ports[door], folder)]
        finally:
            gateway.terminate()
            gateway.wait(20)
    sys.stdout.writelines(f"{line}\n" for line in (*findings, f"sslyze: {len(DOORS)} doors, {len(findings)} findings"))
    return 1 if findings else 0


def _free_ports(names: tuple[str, ...]) -> dict[str, int]:
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: door.getsockname()[1] for name, door in zip(names, doors, strict=True)}
    for door in doors:
        door.close()
    return ports


def _await(port: int, gateway: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if gateway.poll() is not None:
            raise SystemExit("the gateway did not start")
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the gateway is not ready")


def _scanned(sslyze: str, door: str, port: int, folder: Path) -> list[str]:
    told = folder / f"{door}.json"
    how = ["--starttls=xmpp_server", "--xmpp_to=corp.example"] if door == "starttls" else []
    if door == "sip":  # whoever proves nothing is cut there
        how = [f"--cert={folder}/partner.example.crt", f"--key={folder}/partner.example.key"]
    subprocess.run(
        [
            sslyze,
            *how,
            *LOOKED_AT.split(),
            "--sni=corp.example",
            "--slow_connection",
            f"--json_out={told}",
            f"127.0.0.1:{port}",
        ],
        check=False,
        capture_output=True,
    )
    (result,) = json.loads(told.read_text())["server_scan_results"]
    if result["scan_status"] != "COMPLETED":
        return [f"{door}: not scanned: {result['connectivity_error_trace']}"]
    return [f"{door}: {found}" for found in judged(result["scan_result"])]


def judged(scan: dict[str, Any]) -> list[str]:
    """Gives what is weak in the result of a scan, and what could not be looked at."""

    def result(name: str) -> dict[str, Any]:
        return (scan.get(name) or {}).get("result") or {}

    findings = [f"{name} is accepted" for name in WEAK if result(f"{name}_cipher_suites").get("accepted_cipher_suites")]
    newest = [result(f"{name}_cipher_suites").get("accepted_cipher_suites") for name in ("tls_1_2", "tls_1_3")]
    findings += [
        f"{name} is not accepted" for name, suites in zip(("TLS 1.2", "TLS 1.3"), newest, strict=True) if not suites
    ]
    for each in newest[0] or ():
        name = each["cipher_suite"]["name"]
        if "_ECDHE_" not in name or not name.endswith(("GCM_SHA256", "GCM_SHA384", "POLY1305_SHA256")):
            findings.append(f"{name} is accepted")
    for check, key in (
        ("heartbleed", "is_vulnerable_to_heartbleed"),
        ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection"),
        ("tls_compression", "supports_compression"),
        ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos"),
    ):
        if result(check).get(key) is not False:
            findings.append(f"{check}: {result(check).get(key, 'not looked at')}")
    if "NOT_VULNERABLE" not in str(result("robot").get("robot_result")):
        findings.append(f"robot: {result('robot').get('robot_result', 'not looked at')}")
    early = scan.get("tls_1_3_early_data") or {}
    # sslyze fails over this where the door wants a certificate; all doors have the same context (transport/tls.py)
    if (
        early.get("error_reason") != "BUG_IN_SSLYZE"
        and result("tls_1_3_early_data").get("supports_early_data") is not False
    ):
        findings.append("early data is accepted")
    return findings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
