"""The commands about conversation history, and how their answers read."""

from gateway.commands.command import Command, Parameter, daemon, read_person
from gateway.commands.remembered_answers import HistoryChoice, HistoryRetried, HistoryStatus
from gateway.commands.render import columns, moment
from gateway.log import escape


def show_status(result: HistoryStatus) -> str:
    """Shows what waits, one conversation a line."""
    if not result["on"]:
        return "there is no conversation history: [history] names no server"
    head = f"{result['open']} conversations go on, {len(result['waiting'])} wait for their mailbox"
    lines = [head, *([f"problem: {escape(result['problem'], 200)}"] if result["problem"] else [])]
    rows = [
        (each["owner"], moment(each["started"]), str(each["tries"]), each["problem"] or "-", moment(each["next"]))
        for each in result["waiting"]
    ]
    return "\n".join([*lines, columns(rows, ("OWNER", "BEGUN", "TRIES", "PROBLEM", "NEXT"))]) if rows else head


def show_choice(result: HistoryChoice) -> str:
    """Shows whether a person's conversations are kept."""
    state = "kept" if result["on"] else "not kept"
    rows = [
        ("conversations", state if result["offered"] else "not kept: there is no conversation history here"),
        ("set by", result["set_by"] + (", locked" if result["locked"] else "")),
        ("folder", escape(result["folder"])),
        ("waiting", str(result["waiting"]) + (f" ({result['problem']})" if result["problem"] else "")),
        ("contacts told", str(result["told"])),
    ]
    return columns(rows)


def show_retried(result: HistoryRetried) -> str:
    """Says how many conversations are tried again."""
    return f"{result['count']} conversations are tried again now"


COMMANDS: tuple[Command, ...] = (
    daemon(
        "history status",
        "Say which conversations wait for their mailbox, and why.",
        (),
        show_status,
        lambda result: int(any(each["problem"] for each in result["waiting"]) or bool(result["problem"])),
    ),
    daemon(
        "history show",
        "Say whether a person's conversations are kept in his mailbox.",
        (Parameter("owner", "one of our own people: alice@corp.example", read_person),),
        show_choice,
        own="owner",
    ),
    daemon(
        "history retry",
        "Bring what waits to the mailboxes now.",
        (Parameter("owner", "of one person only", read_person, True),),
        show_retried,
    ),
)
