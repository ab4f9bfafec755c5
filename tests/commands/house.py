"""A house of cardboard: answers in the right shapes, and remembers what it was asked."""

from twisted.internet.defer import succeed

from gateway.web.stream import Stream

SIGNAL = {
    "at": "2026-11-23T19:00:00.000Z",
    "wire": "xmpp",
    "side": "external",
    "way": "in",
    "word": "message",
    "from": "bob@partner.example",
    "to": "alice@corp.example",
    "fields": ["note"],
}
TRACED = {
    "whom": "partner.example",
    "until": 1_700_000_600.0,
    "lines": 1,
    "dropped": 0,
    "file": "/x/trace.log",
    "told": 2,
}
TELEMETRY = {
    "on": True,
    "by": "a command on this machine",
    "locked": False,
    "collector": "https://usage.corp.example/",
    "shown": True,
    "next": 1_700_000_000.0,
    "last": None,
    "problem": "",
}
PARTNER = {
    "partner": "partner.example",
    "via": "xmpp",
    "state": "up",
    "since": 1_700_000_000.0,
    "tls": "1.3 external",
    "subscriptions": 2,
    "queue": 0,
    "text": "",
}
ENTRY = {
    "owner": "alice@corp.example",
    "contact": "bob@partner.example",
    "level": "team",
    "origin": "person",
    "since": 1_700_000_000.0,
    "until": None,
}

DIFFED = {
    "base": "ab" * 32,
    "new": "cd" * 32,
    "pairs": 12,
    "days": 7,
    "ledger": True,
    "widened": 1,
    "narrowed": 1,
    "threshold": 0,
    "loosens": [],
    "fields": {"note": {"gains": 1, "loses": 0}, "im": {"gains": 0, "loses": 1}},
    "differences": [
        {
            "owner": "alice@corp.example",
            "contact": "bob@partner.example",
            "gains": ["note"],
            "loses": [],
            "opens": [],
            "closes": ["im"],
            "used": ["note"],
        }
    ],
    "left_out": 3,
    "changes": ["lock note removed"],
    "restart": [],
}
APPLIED = {
    "outcome": "applied",
    "id": "cd" * 32,
    "widened": 1,
    "narrowed": 0,
    "changes": ["lock note removed"],
    "restart": ["gateway.state"],
}
LEDGER_ENTRY = {
    "seq": 7,
    "at": 1_700_000_000.0,
    "kind": "presence",
    "about": "alice@corp.example",
    "to": "bob@partner.example",
    "partner": "partner.example",
    "protocol": "xmpp",
    "outcome": "sent",
    "rule": "allowed",
    "level": "team",
    "by": "person contact",
    "policy": "1.41",
    "sent": ["availability", "note"],
    "withheld": {"phone.mobile": "level"},
    "observed": {},
    "what": "",
    "size": 0,
    "erased": False,
    "note": {},
}


ARCHIVE = {
    "on": True,
    "place": "/var/lib/gateway/archive.db",
    "problem": "the disk is full",
    "mode": "activity",
    "critical": True,
    "rules": 2,
    "head": "7:" + "0" * 64,
    "waiting": 0,
    "missed": 3,
    "key": "0123abcd",
    "keys": {"0123abcd": 5},
    "holds": 1,
}
ARCHIVED = {
    "seq": 7,
    "at": 1_700_000_000.0,
    "kind": "message",
    "about": "alice@corp.example",
    "to": "bob@partner.example",
    "conversation": 1_700_000_000_000_000,
    "text": {"bodies": [["", "hello"]]},
    "rest": {"direction": "out", "outcome": "sent"},
}
KEPT = {
    "address": "alice@corp.example",
    "places": [{"place": "archive", "count": 7, "erased": 4, "stays": "3 under a legal hold"}],
    "file": "",
}


class House:
    def __init__(self):
        self.asked = []
        self.outcome = "withheld"
        self.observed = False
        self.mode = "enforce"
        self.ready = True

    def _note(self, *asked):
        self.asked.append(asked)

    def view(self, owner, contact, protocol, origin):
        self._note("view", owner, contact, protocol, origin)
        nobody = {"origin": "", "since": None, "value": None}
        return {
            "owner": owner,
            "contact": contact,
            "level": "public",
            "observed": self.observed,
            "presence": {"xmpp": "<presence><show>dnd</show></presence>"},
            "fields": [
                {"field": "show", "mark": "sent", "reason": "allowed", **nobody, "origin": "client", "value": "dnd"},
                {"field": "note", "mark": "withheld", "reason": "level", **nobody, "origin": "person", "since": 1.7e9},
                {"field": "mood", "mark": "not-published", "reason": "not-published", **nobody},
            ],
        }

    def explain(self, owner, contact, field):
        self._note("explain", owner, contact, field)
        one = {
            "outcome": self.outcome,
            "reason": "level",
            "steps": [{"step": "level", "finding": "team lacks it"}],
            "would_allow": "give bob personal",
            "smallest": "give bob personal",
        }
        names = [field] if field else ["show", "phone.mobile"]
        return {
            "owner": owner,
            "contact": contact,
            "level": "team",
            "level_source": "set by the person",
            "policy": 41,
            "configuration": "0123456789abcdef",
            "version": "7.41",
            "observed": self.observed,
            "fields": [{"field": name, **one} for name in names],
        }

    def levels_list(self, owner):
        self._note("levels_list", owner)
        return [ENTRY, {**ENTRY, "owner": "", "contact": "*.ally.example", "origin": "administrator", "since": None}]

    def levels_show(self, owner, contact):
        self._note("levels_show", owner, contact)
        return {
            "owner": owner,
            "contact": contact,
            "level": "team",
            "level_source": "set by the person",
            "fields": ["availability", "show"],
        }

    def levels_set(self, owner, contact, level, until, lock, origin):
        self._note("levels_set", owner, contact, level, until, lock, origin)
        return succeed({"owner": owner, "contact": contact, "level": level, "before": "team", "changed": True})

    def levels_preview(self, owner, contact, level):
        self._note("levels_preview", owner, contact, level)
        seen = {"sees": ["note"], "gains": [], "loses": ["title"], "ceiling": "team"}
        return {"owner": owner, "contact": contact, "level": level, "before": "team", **seen}

    def contacts_list(self, owner):
        self._note("contacts_list", owner)
        held = {"since": None, "until": None, "given_by": "default", "ceiling": "team", "waits": True, "watches": False}
        return [{"contact": "bob@partner.example", "level": "team", **held}]

    def history_status(self):
        self._note("history_status")
        waiting = {"owner": "alice@corp.example", "started": 1.0, "tries": 2, "problem": "quota", "next": 9.0}
        return {"on": True, "folder": "Conversation History", "open": 1, "waiting": [waiting], "problem": ""}

    def history_show(self, owner):
        self._note("history_show", owner)
        said = {"offered": True, "on": True, "set_by": "person", "locked": False, "folder": "Conversation History"}
        return {"owner": owner, **said, "waiting": 0, "problem": "", "told": 2}

    def history_retry(self, owner):
        self._note("history_retry", owner)
        return {"count": 1}

    def requests_list(self, owner):
        self._note("requests_list", owner)
        asked = {"since": None, "level": "public", "verified": False}
        return [{"owner": "alice@corp.example", "contact": "eve@supplier.example", **asked}]

    async def requests_accept(self, owner, contact, level, until, origin):
        self._note("requests_accept", owner, contact, level, until, origin)
        return {"owner": owner, "contact": contact, "level": level or "public", "accepted": True}

    def requests_refuse(self, owner, contact):
        self._note("requests_refuse", owner, contact)
        return {"owner": owner, "contact": contact, "level": "public", "accepted": False}

    def publish_list(self, owner):
        self._note("publish_list", owner)
        said = {"origin": "person", "since": 1_700_000_000.0, "switched": "off", "withheld_by": "you"}
        return [{"field": "phone.mobile", **said}]

    async def publish_set(self, owner, field, value):
        self._note("publish_set", owner, field, value)
        return {"owner": owner, "subject": field, "seen_by": ["bob@partner.example"], "withheld_by": ""}

    async def publish_unset(self, owner, field):
        self._note("publish_unset", owner, field)
        return {"owner": owner, "subject": field, "seen_by": [], "withheld_by": ""}

    async def publish_switch(self, owner, subject, state):
        self._note("publish_switch", owner, subject, state)
        return {"owner": owner, "subject": subject, "seen_by": [], "withheld_by": "your administrator, for everybody"}

    async def levels_unset(self, owner, contact, origin):
        self._note("levels_unset", owner, contact, origin)
        return {"owner": owner, "contact": contact, "level": "team", "before": "team", "changed": False}

    async def levels_import(self, owner, file, format, dry_run):
        self._note("levels_import", owner, file, format, dry_run)
        change = {"contact": "bob@partner.example", "before": None, "after": "team", "until": 1_700_000_000.0}
        remark = {"line": 7, "rule": "a", "text": "<sphere> depends on what is not known here"}
        return {"owner": owner, "kept": not dry_run, "changes": [change], "remarks": [remark]}

    def levels_export(self, owner, format):
        self._note("levels_export", owner, format)
        return {"owner": owner, "document": "<ruleset/>\n", "remarks": ["no words -- for office"]}

    def partners_list(self):
        self._note("partners_list")
        return [PARTNER]

    def partners_show(self, domain):
        self._note("partners_show", domain)
        contract = {"domains": [domain], "network": "federation", "ceiling": "team", "modalities": ["im"], "locks": []}
        return {**PARTNER, **contract, "strangers": "ask", "auth": ["external"], "route": ""}

    async def partners_test(self, domain):
        self._note("partners_test", domain)
        return {
            "subject": domain,
            "checks": [
                {"name": "dns", "outcome": "ok", "text": "xmpp.partner.example:5269", "paste": None},
                {"name": "tls", "outcome": "fail", "text": "the pin differs", "paste": 'pins = ["sha256:00"]'},
            ],
        }

    def status(self):
        self._note("status")
        return {
            "version": "0.1.0",
            "uptime": 93_600.0,
            "mode": self.mode,
            "policy": 41,
            "config": "/etc/gateway/gateway.toml",
            "ready": self.ready,
            "checks": {"inside": None if self.ready else "no link to corp.example"},
            "ledger": "",
            "archive": "off",
            "partners": [PARTNER],
        }

    def ledger_list(self, about, to, since, field, limit):
        self._note("ledger_list", about, to, since, field, limit)
        return [LEDGER_ENTRY, {**LEDGER_ENTRY, "kind": "access", "note": {"command": "list"}, "sent": []}]

    def ledger_export(self, about, file):
        self._note("ledger_export", about, file)
        return {"file": file or "/var/lib/gateway/ledger.jsonl", "entries": 7, "about": about or ""}

    def archive_status(self):
        self._note("archive_status")
        return ARCHIVE

    async def archive_search(self, about, to, since, until, text, kind, conversation, limit):
        self._note("archive_search", about, to, since, until, text, kind, conversation, limit)
        return [ARCHIVED]

    async def archive_export(self, format, about, to, since, until, conversation, file):
        self._note("archive_export", format, about, to, since, until, conversation, file)
        return {"file": file or "/var/lib/gateway/archive.jsonl", "format": format or "jsonl", "records": 7}

    async def archive_hold(self, party, reason):
        self._note("archive_hold", party, reason)
        return [{"party": party, "since": 1_700_000_000.0, "reason": reason}]

    async def archive_release(self, party, reason):
        self._note("archive_release", party, reason)
        return []

    async def archive_holds(self):
        self._note("archive_holds")
        return []

    async def archive_prune(self):
        self._note("archive_prune")
        return {"emptied": 3, "removed": 2, "held": 1}

    async def archive_rotate(self):
        self._note("archive_rotate")
        return {"resealed": 3, "left": 0, "unreadable": 1, "key": "0123abcd"}

    async def users_show(self, address):
        self._note("users_show", address)
        return KEPT

    async def users_export(self, address, file):
        self._note("users_export", address, file)
        return {**KEPT, "file": file or "/var/lib/gateway/user.json"}

    async def users_erase(self, address):
        self._note("users_erase", address)
        return KEPT

    async def ledger_erase(self, person):
        self._note("ledger_erase", person)
        return {"person": person, "erased": 3, "held": 1}

    async def policy_diff(self, new, days):
        self._note("policy_diff", new, days)
        return DIFFED

    async def policy_apply(self, new, confirm_widen, asker):
        self._note("policy_apply", new, confirm_widen, asker)
        return APPLIED

    async def policy_rollback(self, id, confirm_widen, asker):
        self._note("policy_rollback", id, confirm_widen, asker)
        return {**APPLIED, "outcome": "pending"}

    def policy_history(self):
        self._note("policy_history")
        return [{"at": 1.7e9, "id": "ab" * 32, "how": "apply", "by": "root", "current": True}]

    def policy_pending(self):
        self._note("policy_pending")
        waits = {"widened": 1, "narrowed": 0, "loosens": ["gateway.mode"], "changes": ["lock note removed"]}
        return [
            {"id": "0123456789ab", "at": 1.7e9, "by": "dana", "new": "ab" * 32, "how": "apply", "stale": True, **waits}
        ]

    def policy_approve(self, id, asker):
        self._note("policy_approve", id, asker)
        return APPLIED

    def policy_reject(self, id, asker):
        self._note("policy_reject", id, asker)
        return {"id": id, "by": "root"}

    def trace(self, whom, span, background):
        self._note("trace", whom, span, background)
        if background:
            return TRACED
        return Stream(lambda stream: (stream.say(SIGNAL), stream.finish(TRACED)), lambda: None)

    def traces_list(self):
        self._note("traces_list")
        return [{"whom": "partner.example", "since": 1_700_000_000.0, "until": None, "by": "command"}]

    def traces_stop(self, whom):
        self._note("traces_stop", whom)
        return []

    def telemetry_show(self):
        self._note("telemetry_show")
        return {"report": '{\n "schema": 1\n}\n', "collector": ""}

    def telemetry_on(self):
        self._note("telemetry_on")
        return TELEMETRY

    def telemetry_off(self):
        self._note("telemetry_off")
        return {**TELEMETRY, "on": False}

    def telemetry_status(self):
        self._note("telemetry_status")
        return TELEMETRY

    async def feedback(self, text, owner, yes):
        self._note("feedback", text, owner, yes)
        return {"to": "it@corp.example", "sent": bool(yes), "document": f"From: {owner}\n\n{text}"}

    def privacy_statement(self, owner, since, format, language):
        self._note("privacy_statement", owner, since, format, language)
        return {"document": "# Privacy\n", "revision": 3, "made": 1_700_000_000.0, "digest": "00", "since": 0}

    def reload(self, asker):
        self._note("reload", asker)
        return succeed({"changes": ["partner ally.example added"], "restart": ["gateway.state"]})
