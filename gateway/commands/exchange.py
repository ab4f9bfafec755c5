"""How the answers read with which levels come in from other systems and go out to them."""

from gateway.commands.operations import LevelsExported, LevelsImported, RemarkShown
from gateway.commands.render import columns, moment
from gateway.log import escape

READ = ("pres-rules", "containers")
"""What can be imported."""
WRITTEN = ("pres-rules", "kamailio")
"""What can be exported."""


def imported(result: LevelsImported) -> str:
    """Shows what an import changes, and line by line what cannot be expressed."""
    lines = [f"{escape(result['owner'])}: {_count(result)}"]
    rows = [
        (f"  {each['contact']}", each["before"] or "-", "->", each["after"] or "-", _end(each["until"]))
        for each in result["changes"]
    ]
    lines += [columns(rows)] if rows else []
    lines += ["cannot be expressed:"] if result["remarks"] else []
    return "\n".join([*lines, *map(_remark, result["remarks"])])


def exported(result: LevelsExported) -> str:
    """Shows the document, and behind it as comments what a server that reads it leaves out."""
    comments = (escape(text, 4000).replace("--", "- -") for text in result["remarks"])
    return result["document"] + "\n".join(f"<!-- {text} -->" for text in comments)


def _count(result: LevelsImported) -> str:
    number = len(result["changes"])
    if not number:
        return "nothing changes"
    entries = f"{number} entr{'y' if number == 1 else 'ies'}"
    return f"{entries} changed" if result["kept"] else f"{entries} would change; nothing is kept"


def _end(until: float | None) -> str:
    return f"until {moment(until)}" if until is not None else ""


def _remark(remark: RemarkShown) -> str:
    line = f"line {remark['line']}" if remark["line"] else "in all"
    rule = f" ({escape(remark['rule'])})" if remark["rule"] else ""
    return f"  {line}{rule}: {escape(remark['text'], 4000)}"
