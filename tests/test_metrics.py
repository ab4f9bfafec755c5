import pytest
from attrs import evolve
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from twisted.logger import capturedLogs

from gateway.metrics import OTHER, Metrics, labels, registry
from gateway.metrics.cells import TIMES
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, Side
from gateway.model.message import Message, MessageKind
from gateway.model.presence import OFFLINE, Field, Presence
from gateway.model.subscription import State
from gateway.policy.partners import Partner
from gateway.policy.verdict import Decision, Reason, Verdict


@pytest.fixture
def metrics():
    return Metrics(["partner.example", "ally.example"], ["corp.example"], ["public", "team"])


def samples(metrics):
    text = generate_latest(registry(metrics)).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_counted_message_is_exported(metrics):
    cell = metrics.messages("partner.example", "out", "accepted")
    cell.value += 1
    cell.inc(2)
    exported = samples(metrics)
    key = ("direction", "out"), ("outcome", "accepted"), ("partner", "partner.example")
    assert exported["gateway_messages_total", *key] == 3


def test_the_same_labels_give_the_same_cell(metrics):
    assert metrics.messages("partner.example", "out", "accepted") is metrics.messages(
        "partner.example", "out", "accepted"
    )
    assert metrics.messages("partner.example", "in", "accepted") is not metrics.messages(
        "partner.example", "out", "accepted"
    )


def test_enums_are_labels(metrics):
    cell = metrics.decisions("partner.example", "presence", "team", Decision.REFUSE, Reason.UNKNOWN_PARTNER)
    cell.inc()
    assert any("unknown-partner" in str(key) for key, value in samples(metrics).items() if value == 1)


def test_discovered_partners_share_one_series(metrics):
    for number in range(1000):
        metrics.messages(f"stranger{number}.example", "in", "refused").inc()
    exported = [key for key in samples(metrics) if key[0] == "gateway_messages_total"]
    assert len(exported) == 1
    assert ("partner", OTHER) in exported[0]


def test_no_address_becomes_a_label(metrics):
    canary = "alice@corp.example"
    metrics.messages(canary, "in", "refused").inc()
    metrics.parser_rejects(canary, canary).inc()
    metrics.bounces("partner.example", canary).inc()
    metrics.tls_sessions("partner.example", canary, canary).inc()
    metrics.own_cert_expiry(canary).set(1)
    assert canary not in generate_latest(registry(metrics)).decode()


def test_a_label_value_that_only_we_choose_must_be_in_the_table(metrics):
    with pytest.raises(ValueError, match="no outcome 'lost'"):
        metrics.messages("partner.example", "out", "lost")


def test_the_number_of_labels_is_checked(metrics):
    with pytest.raises(ValueError, match="shorter|longer"):
        metrics.messages("partner.example", "out")


def test_a_histogram_is_cumulative(metrics):
    for seconds in (0.0005, 0.001, 0.3, 1000.0):
        metrics.revoke_seconds().observe(seconds)
    exported = samples(metrics)
    bucket = "gateway_revoke_seconds_bucket"
    assert exported[bucket, ("le", "0.001")] == 2
    assert exported[bucket, ("le", "0.5")] == 3
    assert exported[bucket, ("le", "60.0")] == 3
    assert exported[bucket, ("le", "+Inf")] == 4
    assert exported["gateway_revoke_seconds_count",] == 4
    assert exported["gateway_revoke_seconds_sum",] == pytest.approx(1000.3015)


def test_a_gauge_is_read_when_somebody_looks(metrics):
    waiting = [3]
    metrics.queue_stanzas("partner.example").read = lambda: waiting[0]
    assert samples(metrics)["gateway_queue_stanzas", ("partner", "partner.example")] == 3
    waiting[0] = 9
    assert samples(metrics)["gateway_queue_stanzas", ("partner", "partner.example")] == 9


def test_a_gauge_that_cannot_be_read_hides_no_other(metrics):
    metrics.queue_stanzas("partner.example").read = lambda: 1 / 0
    metrics.queue_stanzas("ally.example").set(4)
    with capturedLogs() as told:
        exported = {key: value for key, value in samples(metrics).items() if key[0] == "gateway_queue_stanzas"}
    assert exported == {("gateway_queue_stanzas", ("partner", "ally.example")): 4}
    assert "gauge cannot be read" in [event["log_format"] for event in told]


def test_a_reload_drops_the_partner_that_left_and_keeps_the_others(metrics):
    for partner in ("partner.example", "ally.example", "stranger.example"):
        metrics.messages(partner, "in", "accepted").inc(5)
    metrics.configure(["ally.example", "new.example"])
    metrics.messages("new.example", "in", "accepted").inc(1)
    counted = {dict(key[1:])["partner"]: value for key, value in samples(metrics).items() if "messages" in key[0]}
    assert counted == {"ally.example": 5, OTHER: 5, "new.example": 1}


def test_info_can_be_replaced(metrics):
    metrics.policy_version().set(hash="aaa")
    metrics.policy_version().set(hash="bbb")
    assert [key for key in samples(metrics) if key[0] == "gateway_policy_version_info"] == [
        ("gateway_policy_version_info", ("hash", "bbb"))
    ]


def test_open_metrics_accepts_every_row(metrics):
    for family in metrics.families():
        cell = family(*(sorted(values)[0] if values else None for values in family.labels.values()))
        if hasattr(cell, "set") and hasattr(cell, "read"):
            cell.set(1)
    text = generate_openmetrics(registry(metrics)).decode()
    names = {family.name for family in parse_openmetrics(text)}
    assert {row.name.removesuffix("_total") for row in Metrics.rows()} <= names
    assert {"gateway_build_info", "process_cpu_seconds"} <= names


def test_two_gateways_do_not_share_numbers(metrics):
    metrics.errors().inc()
    assert Metrics().errors().value == 0


@pytest.mark.parametrize("row", list(Metrics.rows()), ids=lambda row: row.name)
def test_every_row_is_well_formed(row):
    counts = row.make().__class__.__name__ == "Counter"
    assert row.name.startswith("gateway_")
    assert row.name.endswith("_total") is counts
    assert row.text[0].isupper()
    assert not row.text.endswith(".")
    for label, values in row.labels.items():
        assert bool(values) is (label not in labels.CONFIGURED), label


def test_names_are_unique():
    names = [row.name for row in Metrics.rows()]
    assert len(names) == len(set(names))


def test_the_closed_sets_are_those_of_the_model():
    assert {field.value for field in Field} == labels.FIELDS
    assert {reason.value for reason in Reason} == labels.REASONS
    assert {problem.value for problem in Problem} == labels.CONDITIONS
    assert {state.value for state in State} == labels.SUBSCRIPTION_STATES
    assert {decision.value for decision in Decision} == Metrics.decisions.labels["decision"]


def test_bounds_grow():
    assert list(TIMES) == sorted(set(TIMES))


ALICE, BOB = Address.parse("alice@corp.example"), Address.parse("bob@partner.example")
PARTNER = Partner("partner.example", frozenset({"partner.example"}))


def test_a_presence_is_counted_field_by_field(metrics):
    envelope = Envelope(ALICE, BOB, Presence(OFFLINE), Side.INTERNAL)
    verdict = Verdict(
        Decision.DELIVER,
        Reason.ALLOWED,
        "public",
        Presence(OFFLINE),
        sent=frozenset({Field.SHOW, Field.AVAILABILITY}),
        withheld={Field.PHONE_HOME: Reason.LEVEL},
    )
    for _ in range(3):
        metrics.decided(envelope, PARTNER, verdict)
    assert metrics.fields("partner.example", "show", "sent").value == 3
    assert metrics.fields("partner.example", "availability", "sent").value == 3
    assert metrics.fields("partner.example", "phone.home", "withheld").value == 3
    assert metrics.fields("partner.example", "phone.home", "sent").value == 0
    assert metrics.decisions("partner.example", "presence", "public", "deliver", "allowed").value == 3
    assert metrics.presence_updates("partner.example", "out").value == 3


def test_a_message_of_a_stranger_is_counted_under_other(metrics):
    envelope = Envelope(Address.parse("eve@stranger.example"), ALICE, Message(MessageKind.CHAT), Side.EXTERNAL)
    metrics.decided(envelope, None, Verdict(Decision.REFUSE, Reason.UNKNOWN_PARTNER, "blocked"))
    assert metrics.messages(OTHER, "in", "refused").value == 1
    assert metrics.decisions(OTHER, "message", OTHER, "refuse", "unknown-partner").value == 1


def test_after_a_reload_decisions_count_in_the_new_series(metrics):
    envelope = Envelope(BOB, ALICE, Message(MessageKind.CHAT), Side.EXTERNAL)
    verdict = Verdict(Decision.DELIVER, Reason.ALLOWED, "team")
    metrics.decided(envelope, PARTNER, verdict)
    metrics.configure(["ally.example"], levels=["team"])
    metrics.decided(envelope, PARTNER, verdict)
    metrics.configure(["partner.example"], levels=["team"])
    metrics.decided(envelope, PARTNER, verdict)
    assert metrics.messages("partner.example", "in", "accepted").value == 1
    assert metrics.messages(OTHER, "in", "accepted").value == 1


def test_bounces_limits_and_revocations(metrics):
    metrics.bounced(PARTNER, Problem.FORBIDDEN)
    metrics.rate_limited(PARTNER)
    metrics.rate_limited(None, "subscriptions")
    metrics.revoked(0.02)
    assert metrics.bounces("partner.example", "forbidden").value == 1
    assert metrics.limited("partner.example", "stanzas").value == 1
    assert metrics.limited(OTHER, "subscriptions").value == 1
    assert metrics.revoke_seconds().sum == 0.02


def test_one_verdict_is_counted_for_each_partner_side_and_kind_of_content() -> None:
    """The cells of the last decision are at hand; they count for that decision only, and not after a reload."""
    metrics, ally = (
        Metrics(["partner.example", "ally.example"], levels=["public"]),
        evolve(PARTNER, name="ally.example"),
    )
    verdict = Verdict(Decision.DELIVER, Reason.ALLOWED, "public", sent=frozenset({Field.SHOW}))
    here = Envelope(ALICE, BOB, Presence(OFFLINE), Side.INTERNAL)
    inward = Envelope(BOB, ALICE, Presence(OFFLINE), Side.EXTERNAL)
    for envelope, partner in ((here, PARTNER), (here, PARTNER), (here, ally), (inward, ally), (here, PARTNER)):
        metrics.decided(envelope, partner, verdict)
    metrics.decided(Envelope(ALICE, BOB, Message(MessageKind.CHAT), Side.INTERNAL), PARTNER, verdict)
    updates = metrics.presence_updates
    assert [
        updates(*of).value for of in (("partner.example", "out"), ("ally.example", "out"), ("ally.example", "in"))
    ] == [
        3,
        1,
        1,
    ]
    assert metrics.messages("partner.example", "out", "accepted").value == 1
    assert metrics.fields("partner.example", Field.SHOW, "sent").value == 4
    metrics.configure(["ally.example"], levels=["public"])
    metrics.decided(Envelope(ALICE, BOB, Message(MessageKind.CHAT), Side.INTERNAL), PARTNER, verdict)
    assert metrics.messages(OTHER, "out", "accepted").value == 1
