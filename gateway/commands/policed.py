"""The commands about the policy as a whole."""

from gateway.commands import policy, policy_test
from gateway.commands.command import Command, Parameter, Where, as_is, daemon
from gateway.commands.ledger import read_file

_NEW = Parameter("new", "another gateway.toml, with the conf.d beside it", as_is, bundle=True)
_ID = Parameter("id", "the beginning of an ID in the history", policy.read_id)
_WAITING = Parameter("id", "the ID of what waits", policy.read_id)
_WIDEN = Parameter("confirm_widen", "although more would leave than may without this", as_is, True, flag=True)

COMMANDS: tuple[Command, ...] = (
    daemon(
        "policy diff",
        "Say who would gain and lose what under another configuration.",
        (_NEW, Parameter("days", "so many days of the ledger; otherwise 7", as_is, True)),
        policy.show_diff,
        policy.widens,
    ),
    daemon(
        "policy apply",
        "Put another configuration in force: its files, then a reload; both or neither.",
        (_NEW, _WIDEN),
        policy.show_applied,
        lambda result: int(result["outcome"] == "pending"),
        asks=True,
    ),
    daemon(
        "policy pending",
        "List what waits for an approver.",
        (),
        policy.show_pending,
        approvers=True,
    ),
    daemon(
        "policy approve",
        "Put in force what somebody else has proposed.",
        (_WAITING,),
        policy.show_applied,
        asks=True,
        approvers=True,
    ),
    daemon(
        "policy reject",
        "Drop what somebody has proposed.",
        (_WAITING,),
        policy.show_rejected,
        asks=True,
        approvers=True,
    ),
    daemon(
        "policy history",
        "List which configurations were in force, and who put them there.",
        (),
        policy.show_history,
        approvers=True,
    ),
    daemon(
        "policy rollback",
        "Put a configuration of the history in force again.",
        (_ID, _WIDEN),
        policy.show_applied,
        lambda result: int(result["outcome"] == "pending"),
        asks=True,
    ),
    Command(
        ("policy", "test"),
        "Hold what shall never, or always, be seen against a configuration.",
        (
            Parameter("file", "sentences, one a line: see deploy/policy-test.txt", as_is, file=True),
            Parameter("state", "also with what people have decided: state.db, or its folder", read_file, True),
        ),
        Where.OFFLINE,
        policy_test.run,
        policy_test.show,
        policy_test.grade,
    ),
)
"""In the order in which help shows them."""
