"""The commands of the protocol log, the usage report, feedback and the privacy statement."""

from gateway.commands import informing
from gateway.commands.command import Command, Parameter, as_is, daemon, read_person

_WHOM = Parameter("whom", "one of our people (alice@corp.example), or a partner (partner.example)", as_is)

COMMANDS: tuple[Command, ...] = (
    daemon(
        "trace",
        "Show live who signals what to whom, never what is said.",
        (
            _WHOM,
            Parameter("span", "for how long: 10m, 2h; otherwise 10m", informing.read_span, True, option="for"),
            Parameter("background", "write it to the file only, and do not wait", as_is, True, flag=True),
        ),
        informing.traced,
        part=informing.trace_line,
    ),
    daemon("traces list", "List for whom signals are written down, until when.", (), informing.traces),
    daemon("traces stop", "End a trace.", (_WHOM,), informing.traces),
    daemon("telemetry show", "Print the usage report to the byte.", (), informing.telemetry_shown),
    daemon("telemetry on", "Send usage reports from this machine.", (), informing.telemetry_status),
    daemon("telemetry off", "Send no usage reports from this machine.", (), informing.telemetry_status),
    daemon("telemetry status", "Say whether usage reports are sent, and when.", (), informing.telemetry_status),
    daemon(
        "feedback",
        "Say something about the gateway to whom the administrator has named.",
        (
            Parameter("text", "what you want to say, in quotes", as_is),
            Parameter("owner", "in the name of one of our people", read_person, True, option="from"),
            Parameter("yes", "send it; otherwise it is only shown, with all that goes along", as_is, True, flag=True),
        ),
        informing.feedback,
        own="owner",
    ),
    daemon(
        "privacy-statement",
        "Write what the gateway does with what is known of people, as it is set up.",
        (
            Parameter("owner", "for one of our people", read_person, True, option="for"),
            Parameter("since", "only what has changed since this revision", as_is, True),
            Parameter("format", "otherwise markdown", as_is, True, choices=("markdown", "html", "text")),
            Parameter("language", "otherwise en", as_is, True),
        ),
        informing.statement,
        own="owner",
    ),
)
"""In the order in which help shows them."""
