"""finch with SIPE: a real client of Communicator's protocol on a terminal that nobody sees, moved by D-Bus and keys."""

import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from attrs import define

from ..dns import View
from ..process import Process

if TYPE_CHECKING:
    from ..lab import Lab

PRIMITIVE = {"available": 2, "busy": 3, "away": 5}
"""libpurple's number for the kind of status that a SIPE status belongs to; others count as unavailable."""
# pidgin-sipe 1.25 gives a parser with the SAX2 mark but without an SAX2 start of element, which libxml2 2.9.14 never
# calls: no XML body would be read. The shim takes the mark away; libpurple's own parsers have that callback.
_SHIM = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <libxml_part.h>
int xmlSAXUserParseMemory(void *sax, void *user, const char *text, int size) {
  static int (*original)(void *, void *, const char *, int);
  struct sax_part *part = sax;
  if (!original) original = dlsym(RTLD_NEXT, "xmlSAXUserParseMemory");
  if (!part->start_element_ns) part->initialized = 1;
  return original(sax, user, text, size);
}
"""
# the members of libxml2's xmlSAXHandler that matter, after the 27 callbacks of SAX1
_PART = "struct sax_part { void *sax1[27]; unsigned initialized; void *_private; void *start_element_ns; };\n"
_ACCOUNT = """<?xml version='1.0' encoding='UTF-8' ?>
<account version='1.0'><account><protocol>prpl-sipe</protocol><name>{aor},{user}</name><password>secret</password>
<settings><setting name='server' type='string'>{server}:5060</setting>
<setting name='transport' type='string'>tcp</setting>
<setting name='authentication' type='string'>auto</setting></settings>
<settings ui='gnt-purple'><setting name='auto-login' type='bool'>1</setting></settings></account></account>
"""
_CONTACTS = """<?xml version='1.0' encoding='UTF-8' ?>
<purple version='1.0'><blist><group name='Buddies'>{contacts}</group></blist>
<privacy><account proto='prpl-sipe' name='{aor},{user}' mode='1'/></privacy></purple>
"""
_CONTACT = "<contact><buddy account='{aor},{user}' proto='prpl-sipe'><name>sip:{contact}</name></buddy></contact>"


@define
class Seen:
    """How it shows one contact."""

    online: bool
    status: str
    """SIPE's name: available, busy, away, do-not-disturb, be-right-back, …"""
    message: str


@define
class Finch:
    """One finch with one account."""

    aor: str
    folder: Path
    bus: Process
    terminal: Process

    def start(self, timeout: float = 10.0) -> None:
        """Start it and wait until it has signed in; raises LabError."""
        self.bus.start()
        self.bus.await_ready(lambda: (self.folder / "bus").is_socket(), timeout)
        self.terminal.start()
        self.terminal.await_ready(lambda: (self.folder / "terminal").is_socket(), timeout)
        # tmux reads its configuration, and so starts finch, when the first of its clients asks something
        self.tmux("list-sessions")
        self.terminal.await_ready(self.signed_in, timeout)

    @property
    def log(self) -> str:
        """Its debug log, with every SIP message."""
        path = self.folder / "finch.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def signed_in(self) -> bool:
        """Whether its account is connected."""
        try:
            return self.call("PurpleAccountIsConnected", f"int32:{self._account()}") == ["1"]
        except (OSError, LookupError):
            return False

    # libpurple over D-Bus

    def call(self, method: str, *arguments: str) -> list[str]:
        """What libpurple's method gives, e.g. call("PurpleFindBuddies", "int32:5", "string:"); raises OSError."""
        where = ["--dest=im.pidgin.purple.PurpleService", "/im/pidgin/purple/PurpleObject"]
        argv = ["dbus-send", f"--bus=unix:path={self.folder / 'bus'}", "--print-reply", *where]
        argv += [f"im.pidgin.purple.PurpleInterface.{method}", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10.0, check=False)
        if done.returncode:
            raise OSError(f"{self.aor}: {method}: {done.stderr.strip()}")
        found = re.findall(r'^\s*(?:int32 (-?\d+)|string "(.*)")$', done.stdout, re.MULTILINE)
        return [number or text for number, text in found]

    def _one(self, method: str, *arguments: str) -> str:
        given = self.call(method, *arguments)
        if not given:
            raise LookupError(f"{self.aor}: {method} gave nothing")
        return given[0]

    def _account(self) -> str:
        return self._one("PurpleAccountsGetAllActive")

    def _contact(self, address: str) -> str:
        return self._one("PurpleFindBuddy", f"int32:{self._account()}", f"string:sip:{address}")

    def seen(self, address: str) -> Seen:
        """How it shows a contact, "bob@partner.example"."""
        contact = f"int32:{self._contact(address)}"
        online = self._one("PurpleBuddyIsOnline", contact) == "1"
        presence = self._one("PurpleBuddyGetPresence", contact)
        status = f"int32:{self._one('PurplePresenceGetActiveStatus', f'int32:{presence}')}"
        message = self.call("PurpleStatusGetAttrString", status, "string:message")
        return Seen(online, self._one("PurpleStatusGetId", status), message[0] if message else "")

    def wait_to_see(self, address: str, status: str, message: str = "", timeout: float = 10.0) -> None:
        """Wait until it shows a contact so; raises AssertionError."""
        deadline = time.monotonic() + timeout
        while (seen := self.seen(address)).status != status or message not in seen.message:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.aor} shows {address} as {seen}, not {status} {message!r}")
            time.sleep(0.1)

    def set_status(self, status: str, message: str = "") -> None:
        """Choose a status: available, busy, away, do-not-disturb, …"""
        account = f"int32:{self._account()}"
        saved = f"int32:{self._one('PurpleSavedstatusNew', 'string:', f'int32:{PRIMITIVE.get(status, 3)}')}"
        kind = f"int32:{self._one('PurpleAccountGetStatusType', account, f'string:{status}')}"
        self.call("PurpleSavedstatusSetMessage", saved, f"string:{message}")
        self.call("PurpleSavedstatusSetSubstatus", saved, account, kind, f"string:{message}")
        self.call("PurpleSavedstatusActivate", saved)

    def message(self, address: str, text: str) -> None:
        """Send an instant message."""
        self.call("PurpleConvImSend", f"int32:{self._conversation(address)}", f"string:{text}")

    def typing(self, address: str, *, active: bool = True) -> None:
        """Tell a contact that its user types, or has stopped."""
        connection = self._one("PurpleAccountGetConnection", f"int32:{self._account()}")
        state = "1" if active else "0"
        self.call("ServSendTyping", f"int32:{connection}", f"string:sip:{address}", f"int32:{state}")

    def is_told_typing(self, address: str) -> bool:
        """Whether it shows that a contact types now."""
        return self.call("PurpleConvImGetTypingState", f"int32:{self._conversation(address)}") == ["1"]

    def _conversation(self, address: str) -> str:
        made = self._one("PurpleConversationNew", "int32:1", f"int32:{self._account()}", f"string:sip:{address}")
        return self._one("PurpleConvIm", f"int32:{made}")

    def received(self) -> list[tuple[str, str]]:
        """The messages of all conversations with others: sender and text."""
        told = []
        for conversation in self.call("PurpleGetConversations"):
            for line in self.call("PurpleConversationGetMessageHistory", f"int32:{conversation}"):
                sender = self._one("PurpleConversationMessageGetSender", f"int32:{line}")
                text = self._one("PurpleConversationMessageGetMessage", f"int32:{line}")
                told.append((sender, text))
        return told

    def wait_for_message(self, text: str, timeout: float = 10.0) -> str:
        """Wait for a message that holds `text`; its sender; raises AssertionError."""
        deadline = time.monotonic() + timeout
        while True:
            received = self.received()
            for sender, told in received:
                if text in told:
                    return sender
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.aor} received {received}, not {text!r}")
            time.sleep(0.1)

    # the terminal

    def tmux(self, *command: str) -> str:
        """What the terminal answers to one of tmux's commands."""
        argv = ["tmux", "-S", str(self.folder / "terminal"), *command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=5.0, check=True).stdout

    def keys(self, *names: str) -> None:
        """Press keys, named as tmux does: "F11", "Down", "Enter", "M-a", or text."""
        self.tmux("send-keys", *names)

    def screen(self) -> str:
        """What is on its screen."""
        return self.tmux("capture-pane", "-p")

    def wait_for_screen(self, text: str, timeout: float = 5.0) -> str:
        """Wait until the screen shows `text`; raises AssertionError with the screen."""
        deadline = time.monotonic() + timeout
        while text not in (screen := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.aor} does not show {text!r}:\n{screen}")
            time.sleep(0.05)
        return screen

    def set_access_level(self, address: str, level: str) -> None:
        """Choose a contact's level in his context menu: "Personal", "Team", "Company", "Public" or "Blocked"."""
        self.keys("M-1")
        screen = self.wait_for_screen(_row(address)).splitlines()
        row = next(number for number, line in enumerate(screen) if _row(address) in line)
        # the arrows do not reach a list that has just come to the front, these do; line 1 holds its first row
        self.keys(*["C-p"] * len(screen), *["C-n"] * (row - 1), "F11")
        self._choose("Access level")
        self._choose(level)

    def _choose(self, entry: str) -> None:
        """Press the key that the menu on the screen names beside an entry."""
        deadline = time.monotonic() + 5.0
        while (found := re.search(rf"{entry} +\((\w)\)", self.screen())) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.aor} has no {entry!r} in a menu:\n{self.screen()}")
            time.sleep(0.05)
        self.keys(found[1])

    def kill(self) -> None:
        """End it at once."""
        self.terminal.kill()
        self.bus.kill()


def _row(address: str) -> str:
    """How the narrow list begins to write a contact."""
    return f"sip:{address}"[:10]


def _shim(folder: Path) -> Path:
    (folder / "libxml_part.h").write_text(_PART)
    (folder / "shim.c").write_text(_SHIM)
    argv = ["gcc", "-shared", "-fPIC", f"-I{folder}", "-o", str(folder / "shim.so"), str(folder / "shim.c"), "-ldl"]
    subprocess.run(argv, check=True, timeout=30.0)
    return folder / "shim.so"


def _home(folder: Path, aor: str, server: str, contacts: tuple[str, ...]) -> Path:
    purple = folder / "home" / ".purple"
    purple.mkdir(parents=True)
    named = {"aor": escape(aor), "user": escape(aor.partition("@")[0])}
    (purple / "accounts.xml").write_text(_ACCOUNT.format(server=server, **named))
    listed = "".join(_CONTACT.format(contact=escape(contact), **named) for contact in contacts)
    (purple / "blist.xml").write_text(_CONTACTS.format(contacts=listed, **named))
    return folder / "home"


def finch(lab: "Lab", aor: str, *contacts: str) -> Finch:
    """A running finch with which "alice@corp.example" has signed in at her server; `contacts` are its own list."""
    server = lab.servers[aor.partition("@")[2]]
    server.await_ready()
    folder = lab.folder / f"finch-{aor.partition('@')[0]}"
    folder.mkdir()
    home, shim = _home(folder, aor, server.address, contacts), _shim(folder)
    started = f"exec env LD_PRELOAD={shim} finch -d 2> {folder}/finch.log"
    (folder / "tmux.conf").write_text(f'new-session -d -s finch -x 180 -y 50 "{started}"\n')
    environment = {
        "HOME": str(home),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder / 'bus'}",
    }
    bus = ["dbus-daemon", "--session", "--nofork", f"--address=unix:path={folder / 'bus'}"]
    terminal = ["tmux", "-D", "-S", str(folder / "terminal"), "-f", str(folder / "tmux.conf")]

    def process(name: str, argv: list[str]) -> Process:
        inside = lab.namespace.command(lab.dns.resolv_conf(View.DIRECT), *argv)
        return Process(f"{name} {aor}", inside, folder / f"{name}.log", environment=environment, folder=folder)

    client = lab.join(Finch(aor, folder, process("bus", bus), process("terminal", terminal)))
    client.start()
    return client
