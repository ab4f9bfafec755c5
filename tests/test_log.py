import ast
import io
import json
import sys
from pathlib import Path

import pytest
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python import log as legacy_log
from twisted.python.failure import Failure

from gateway.errors import ConfigError
from gateway.log import FIELDS, LineObserver, Log, escape
from gateway.model.address import Address
from gateway.policy.verdict import Reason

CANARY = "Canary-5550100"


class Written:
    """A log whose lines are kept."""

    def __init__(self, as_json=True, level=LogLevel.info):
        self.stream = io.StringIO()
        self.publisher = LogPublisher(LineObserver(self.stream, as_json, level))
        self.log = Log("relay", self.publisher)

    @property
    def text(self):
        return self.stream.getvalue()

    @property
    def lines(self):
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def written():
    return Written()


def test_one_event_is_one_json_line(written):
    written.log.info("link-opened", partner="partner.example", count=3, reason=Reason.ALLOWED)
    [line] = written.lines
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "from": "gateway.relay",
        "event": "link-opened",
        "partner": "partner.example",
        "count": 3,
        "reason": "allowed",
    }


def test_a_terminal_gets_text():
    written = Written(as_json=False)
    written.log.warn("queue-full", partner="partner.example", path="/var/lib/my gateway")
    assert written.text.endswith(
        'warn     gateway.relay queue-full partner=partner.example path="/var/lib/my gateway"\n'
    )


def test_levels_below_the_threshold_are_silent(written):
    written.log.debug("stanza-seen", kind="message")
    assert written.text == ""


@pytest.mark.parametrize("name", ["body", "note", "text", "value", "subject", "password", "secret", "message"])
def test_there_is_no_field_for_content(written, name):
    with pytest.raises(TypeError, match="no field of a log line"):
        written.log.error("refused", **{name: CANARY})
    assert written.text == ""


def test_content_is_no_event(written):
    with pytest.raises(TypeError):
        written.log.info(f"Received {CANARY}")


@pytest.mark.parametrize("value", [b"bytes", ["list"], {"a": 1}, None, object()])
@pytest.mark.parametrize("name", ["partner", "reason", "count", "person", "detail"])
def test_a_field_takes_its_own_type_only(written, name, value):
    with pytest.raises(TypeError):
        written.log.info("refused", **{name: value})


def test_a_sentence_is_no_word(written):
    written.log.info("refused", reason=f"hello {CANARY} there")
    assert CANARY not in written.text
    assert written.lines[0]["reason"] == "[not-a-word]"


def test_a_detail_is_an_error_of_ours(written):
    with pytest.raises(TypeError):
        written.log.info("refused", detail=ValueError(CANARY))
    written.log.info("refused", detail=ConfigError("gateway.toml:3: no such level"))
    assert written.lines[0]["detail"] == "gateway.toml:3: no such level"


HOSTILE = "a\x1b[31mred\x07\r\n\u202eevil\u2028\x7f\x00\ud800"


@pytest.mark.parametrize("as_json", [True, False])
def test_no_control_character_reaches_the_terminal(as_json):
    written = Written(as_json)
    written.log.info("refused", domain=HOSTILE, host=HOSTILE, contact=HOSTILE, reason="x")
    assert written.text.count("\n") == 1
    assert all(" " <= character <= "~" for character in written.text[:-1])


def test_a_long_value_is_cut():
    assert len(escape("x" * 100_000)) < 300
    assert escape("x" * 100_000).endswith("[100000 characters]")


def test_people_are_named_in_refusals_only(written):
    alice, bob = Address.parse("alice@corp.example/desk"), Address.parse("bob@partner.example/phone")
    written.log.info("delivered", person=alice, contact=bob)
    written.log.info("refused", person=alice, contact=bob, reason=Reason.LEVEL)
    delivered, refused = written.lines
    assert (delivered["person"], delivered["contact"]) == ("*@corp.example", "*@partner.example")
    assert (refused["person"], refused["contact"]) == ("alice@corp.example", "bob@partner.example")


def test_people_are_named_at_level_debug():
    written = Written(level=LogLevel.debug)
    written.log.debug("delivered", contact="bob@partner.example/phone")
    assert written.lines[0]["contact"] == "bob@partner.example"


def failing(body):
    hidden = body * 2
    raise RuntimeError(f"cannot parse {hidden}")


def test_an_unexpected_failure_shows_its_place_but_not_its_text(written):
    try:
        failing(CANARY)
    except RuntimeError:
        written.log.failure("unexpected", kind="message")
    [line] = written.lines
    assert CANARY not in written.text
    assert line["error"] == "builtins.RuntimeError"
    assert line["level"] == "critical"
    assert any(place.startswith("test_log.py:") and place.endswith(" failing") for place in line["at"])


def test_an_error_of_ours_shows_its_text(written):
    try:
        try:
            failing(CANARY)
        except RuntimeError as problem:
            raise ConfigError("gateway.toml:3: wrong") from problem
    except ConfigError:
        written.log.failure("reload-failed")
    [line] = written.lines
    assert line["detail"] == "gateway.toml:3: wrong"
    assert line["cause"] == "RuntimeError"
    assert CANARY not in written.text


def test_a_failure_that_twisted_reports_shows_no_text(written):
    observed = Logger("twisted.internet.defer", observer=written.publisher)
    observed.failure("Unhandled error in {canary}", Failure(RuntimeError(CANARY)), canary=CANARY)
    [line] = written.lines
    assert CANARY not in written.text
    assert line["error"] == "builtins.RuntimeError"


def test_other_libraries_cannot_print_values(written):
    Logger("twisted.web", observer=written.publisher).info("Starting {factory}", factory=CANARY)
    Logger("somebody.else", observer=written.publisher).warn(f"got {CANARY}")
    Logger("somebody.else", observer=written.publisher).info(f"got {CANARY}")
    Logger("gateway.transport.link", observer=written.publisher).error("failed: {kind}", kind="KeyError", text=CANARY)
    starting, somebody, ours = written.lines
    assert starting["template"] == "Starting {factory}"
    assert somebody["event"] == "other"
    assert ours["kind"] == "KeyError"
    assert CANARY not in written.text


def test_the_legacy_log_cannot_print_values(written):
    publisher = legacy_log.LogPublisher(observerPublisher=written.publisher, publishPublisher=written.publisher)
    publisher.msg(f"got {CANARY}")
    publisher.msg(format="got %(it)s", it=CANARY)
    assert written.lines == []
    assert CANARY not in written.text


def test_a_closed_stream_stops_nobody(written):
    written.stream.close()
    written.log.error("link-closed")


def test_every_line_of_a_process_goes_to_one_stream(tmp_path):
    import subprocess

    program = (
        "import sys; from gateway.log import Log, start; start(sys.stderr, 'info');"
        "Log('relay').info('started', pid=1); from twisted.internet.defer import fail;"
        f"fail(ValueError('{CANARY}')); import gc; gc.collect(); print('out');"
        f"from twisted.python import log; log.err(KeyError('{CANARY}'), '{CANARY}'); log.msg('{CANARY}')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "out\n"
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert events[0]["event"] == "started"
    assert {event.get("error") for event in events} >= {"builtins.ValueError", "builtins.KeyError"}
    assert CANARY not in done.stderr


def test_an_unknown_level_is_refused():
    from gateway.log import start

    with pytest.raises(ValueError, match="no log level"):
        start(io.StringIO(), "loud")


def test_the_level_can_be_changed(written):
    observer = LineObserver(written.stream)
    log = Log("relay", LogPublisher(observer))
    log.debug("one")
    observer.set_level("debug")
    log.debug("two")
    assert [line["event"] for line in written.lines] == ["two"]


def test_no_field_is_named_after_content():
    assert not {"body", "note", "subject", "text", "phone", "photo", "value", "content"} & set(FIELDS)


def _events():
    """Every first argument of a call on something named log in the house and its plugins."""
    root = Path(__file__).parent.parent
    for path in [*root.glob("gateway/**/*.py"), *root.glob("plugins/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name | ast.Attribute)
                and (node.func.value.id if isinstance(node.func.value, ast.Name) else node.func.value.attr).strip("_")
                == "log"
                and node.func.attr in {"debug", "info", "warn", "error", "failure"}
            ):
                yield f"{path.relative_to(root)}:{node.lineno}", node


@pytest.mark.parametrize(("place", "call"), list(_events()))
def test_every_event_in_the_house_is_a_literal(place, call):
    assert isinstance(call.args[0], ast.Constant), f"{place}: an event must be written in the code"
