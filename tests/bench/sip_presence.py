"""Kamailio's presence server with rules of the watched person (RFC 5025), beside the gateway's NOTIFY in one run.

One PUBLISH comes in over mutual TLS, 200 NOTIFY go out over mutual TLS, each stripped by the rules of the xcap table.
"""

import sqlite3
import subprocess
import time
from pathlib import Path

from attrs import define, field

from tests.bench.servers import Room
from tests.bench.sip_peer import SipExchange, SipLine, answer, header
from tests.bench.sip_servers import KAMAILIO_TLS, cpu_of_all

PRESENCE = "127.0.0.31"
PARTNER = "127.0.0.203"
"""Where the partner takes Kamailio's notifications, apart from the gateway's."""
WATCHERS = 200
_SCHEMAS = Path("/usr/share/kamailio/db_sqlite")
_PRES_RULES = 2
CONFIG = """
debug=0
log_stderror=yes
children=1
tcp_children=1
alias="corp.example"
auto_aliases=no
enable_tls=yes
listen=tls:{address}:5061
tcp_async=yes
tcp_conn_wq_max=4194304
tcp_wq_max=16777216
tcp_rd_buf_size=65536
dns=no
rev_dns=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "tls.so"
loadmodule "db_sqlite.so"
loadmodule "presence.so"
loadmodule "presence_xml.so"
modparam("tls", "config", "{home}/tls.cfg")
modparam("tls", "tls_force_run", 1)
modparam("tls", "con_ct_wq_max", 4194304)
modparam("tls", "ct_wq_max", 16777216)
modparam("presence", "db_url", "sqlite:///{home}/kamailio.db")
modparam("presence", "subs_db_mode", 2)
modparam("presence", "publ_cache", 1)
modparam("db_sqlite", "db_set_journal_mode", "sqlite:///{home}/kamailio.db;wal")
modparam("presence_xml", "db_url", "sqlite:///{home}/kamailio.db")
modparam("presence_xml", "force_active", 0)
modparam("presence_xml", "integrated_xcap_server", 1)
request_route {{
    if (!t_newtran()) {{ sl_reply_error(); exit; }}
    if (is_method("PUBLISH")) handle_publish();
    else if (is_method("SUBSCRIBE")) handle_subscribe();
    t_release();
    exit;
}}
"""
RULES = """<?xml version="1.0" encoding="UTF-8"?>
<cr:ruleset xmlns="urn:ietf:params:xml:ns:pres-rules" xmlns:pr="urn:ietf:params:xml:ns:pres-rules"
 xmlns:cr="urn:ietf:params:xml:ns:common-policy"><cr:rule id="team"><cr:conditions><cr:identity>
<cr:many domain="partner.example"/></cr:identity></cr:conditions>
<cr:actions><pr:sub-handling>allow</pr:sub-handling></cr:actions>
<cr:transformations><pr:provide-services><pr:all-services/></pr:provide-services>
<pr:provide-persons><pr:all-persons/></pr:provide-persons><pr:provide-activities>true</pr:provide-activities>
<pr:provide-mood>false</pr:provide-mood><pr:provide-place-type>false</pr:provide-place-type>
<pr:provide-time-offset>false</pr:provide-time-offset><pr:provide-user-input>false</pr:provide-user-input>
</cr:transformations></cr:rule></cr:ruleset>"""
"""Takes four fields and the device away."""


def start_presence_server(room: Room, core: int) -> "subprocess.Popen[bytes]":
    """Start it pinned to `core`; RuntimeError when it ends."""
    home = room.home("presence")
    with sqlite3.connect(home / "kamailio.db") as database:
        for name in ("standard", "presence"):
            database.executescript((_SCHEMAS / f"{name}-create.sql").read_text("utf-8"))
        columns = "username, domain, doc, doc_type, etag, source, doc_uri, port"
        row = ("alice", "corp.example", RULES, _PRES_RULES, "1", 0, "/pres-rules/users/sip:alice@corp.example/index", 0)
        database.execute(f"INSERT INTO xcap ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    (home / "tls.cfg").write_text(KAMAILIO_TLS.format(pki=room.authority.directory))
    (home / "kamailio.cfg").write_text(CONFIG.format(home=home, address=PRESENCE))
    argv = ["kamailio", "-f", str(home / "kamailio.cfg"), "-DD", "-E", "-m", "512", "-M", "16", "-Y", str(home)]
    process = room.spawn(["taskset", "-c", str(core), *argv], "presence")
    time.sleep(3.0)
    if process.poll() is not None:
        raise RuntimeError((room.folder / "presence.out").read_text(errors="replace")[-2000:])
    return process


@define
class RulesFanOut:
    """Publishes alice's document at Kamailio, where 200 contacts of the partner watch her."""

    exchange: SipExchange
    pid: int
    document: str
    line: SipLine = field(init=False)
    told: int = 0
    shortest: int = 0
    tag: str = ""
    granted: int = 0

    def subscribe(self) -> None:
        """Subscribe everybody, and publish once."""
        self.exchange.listen(PARTNER, 5061, "partner.example", self._takes)
        self.line = self.exchange.connect(PRESENCE, 5061, "partner.example", self._takes)
        self.publish(0)
        for number in range(WATCHERS):
            self.line.send(
                (
                    f"SUBSCRIBE sip:alice@corp.example SIP/2.0\r\n"
                    f"Via: SIP/2.0/TLS {PARTNER}:5061;branch=z9hG4bKk{number}\r\nMax-Forwards: 69\r\n"
                    f"To: <sip:alice@corp.example>\r\nFrom: <sip:w{number}@partner.example>;tag=k{number}\r\n"
                    f"Call-ID: k{number}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{PARTNER}:5061;transport=tls>\r\n"
                    "Event: presence\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
                ).encode()
            )
        self.exchange.until(lambda: self.granted >= WATCHERS, 30.0, f"{self.granted} subscriptions at Kamailio")
        self.exchange.turn(0.5)

    def once(self, number: int) -> float:
        """Publish once; return microseconds of Kamailio's CPU per NOTIFY."""
        before, self.told = cpu_of_all(self.pid), 0
        self.publish(number)
        self.exchange.until(lambda: self.told >= WATCHERS, 15.0, f"{self.told} told by Kamailio")
        self.exchange.turn(0.05)
        return (cpu_of_all(self.pid) - before) / 1000 / WATCHERS

    def publish(self, number: int) -> None:
        """Send one PUBLISH, and wait for its answer."""
        body, known = self.document.format(number), self.tag
        match = f"SIP-If-Match: {known}\r\n" if known else ""
        self.line.send(
            (
                f"PUBLISH sip:alice@corp.example SIP/2.0\r\n"
                f"Via: SIP/2.0/TLS {PARTNER}:5061;branch=z9hG4bKpub{number}\r\nMax-Forwards: 69\r\n"
                f"To: <sip:alice@corp.example>\r\nFrom: <sip:alice@corp.example>;tag=pub\r\nCall-ID: pub{number}\r\n"
                f"CSeq: 1 PUBLISH\r\nEvent: presence\r\nExpires: 3600\r\n{match}"
                f"Content-Type: application/pidf+xml\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        )
        self.exchange.until(lambda: self.tag not in ("", known), 10.0, "no answer to a PUBLISH")

    def _takes(self, line: SipLine, message: bytes) -> None:
        if message.startswith(b"SIP/2.0"):
            self.tag = header(message, "SIP-ETag") or self.tag
            self.granted += message.startswith(b"SIP/2.0 2") and b" SUBSCRIBE\r\n" in message
        else:
            line.send(answer(message))
            if b"Round" in message:
                assert b"stressed" not in message, "the rules have not been asked"
                self.told += 1
