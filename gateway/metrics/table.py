"""Every metric of the gateway, as one table."""

from gateway.metrics.cells import Counter, Gauge, Histogram, Info, Row, Table
from gateway.metrics.labels import (
    CIPHERS,
    CONDITIONS,
    CONFIG,
    DIRECTION,
    FIELDS,
    KINDS,
    LINK_REASONS,
    PARSER_REASONS,
    PROTOCOL,
    REASONS,
    SUBSCRIPTION_STATES,
    words,
)


class Rows(Table):
    """Is the table: a row a metric, with its name, kind, help text, and labels with their closed sets."""

    # Links
    partner_up = Row(
        "gateway_partner_up",
        Gauge,
        "Whether an authenticated link to the partner exists or the last probe succeeded",
        partner=CONFIG,
        protocol=PROTOCOL,
        direction=DIRECTION,
    )
    link_events = Row(
        "gateway_link_events_total",
        Counter,
        "What happened to links",
        partner=CONFIG,
        protocol=PROTOCOL,
        event=words("opened closed failed refused retried"),
        reason=LINK_REASONS,
    )
    auth = Row(
        "gateway_auth_total",
        Counter,
        "Attempts of a peer to prove a domain, or of ours to it",
        partner=CONFIG,
        protocol=PROTOCOL,
        direction=DIRECTION,
        mechanism=words("EXTERNAL DIALBACK COMPONENT"),
        outcome=words("ok failed"),
    )
    tls_sessions = Row(
        "gateway_tls_sessions_total",
        Counter,
        "TLS sessions in which a peer proved its domain",
        partner=CONFIG,
        version=words("TLSv1.2 TLSv1.3"),
        cipher=CIPHERS,
    )
    tls_failures = Row("gateway_tls_failures_total", Counter, "TLS handshakes that failed", direction=DIRECTION)
    peer_cert_expiry = Row(
        "gateway_peer_cert_expiry_timestamp_seconds",
        Gauge,
        "When the certificate expires that the partner showed last",
        partner=CONFIG,
    )
    own_cert_expiry = Row(
        "gateway_own_cert_expiry_timestamp_seconds",
        Gauge,
        "When our certificate for a domain of ours expires",
        domain=CONFIG,
    )
    pin_mismatch = Row(
        "gateway_pin_mismatch_total", Counter, "Certificates whose key is not the pinned one", partner=CONFIG
    )
    drift = Row(
        "gateway_contract_drift_total",
        Counter,
        "Connections on which a partner has shown something that it had not shown before",
        partner=CONFIG,
        what=words("method key issuer tls"),
    )
    contract_expiry = Row(
        "gateway_contract_expiry_timestamp_seconds",
        Gauge,
        "When the contract with the partner ends",
        partner=CONFIG,
    )
    dns_seconds = Row(
        "gateway_dns_seconds",
        Histogram,
        "Time of finding the servers of a domain in DNS, when the answer was not at hand",
        outcome=words("ok missing failed"),
    )
    probe_rtt = Row(
        "gateway_probe_rtt_seconds", Gauge, "Round trip of the last ping that the partner answered", partner=CONFIG
    )
    last_success = Row(
        "gateway_last_success_timestamp_seconds",
        Gauge,
        "When a link to the partner last carried a stanza, either way",
        partner=CONFIG,
    )

    # Policy
    decisions = Row(
        "gateway_policy_decisions_total",
        Counter,
        "Decisions about envelopes",
        partner=CONFIG,
        kind=KINDS,
        level=CONFIG,
        decision=words("deliver refuse ignore"),
        reason=REASONS,
    )
    fields = Row(
        "gateway_fields_total",
        Counter,
        "Published fields by what happened to them on the way out",
        partner=CONFIG,
        field=FIELDS,
        action=words("sent coarsened withheld"),
    )
    observe_mode = Row(
        "gateway_observe_mode",
        Gauge,
        "Whether the gateway only observes: what the policy withholds leaves nevertheless",
    )
    observed = Row(
        "gateway_observed_total",
        Counter,
        "Fields and envelopes that left although the policy stands against them, by its reason",
        reason=REASONS,
    )
    policy_version = Row("gateway_policy_version", Info, "The policy in force")
    reloads = Row(
        "gateway_policy_reload_total",
        Counter,
        "Reloads of the configuration",
        outcome=words("ok unchanged failed"),
    )
    last_reload = Row(
        "gateway_policy_last_reload_success_timestamp_seconds",
        Gauge,
        "When the configuration in force was loaded",
    )
    revoke_seconds = Row(
        "gateway_revoke_seconds",
        Histogram,
        "Time from a change that takes something away to the last presence that says so being on its way",
    )
    revocations_pending = Row(
        "gateway_revocations_pending",
        Gauge,
        "Contacts who have not yet been told that they see less",
        partner=CONFIG,
    )

    # Presence and messages
    subscriptions = Row(
        "gateway_subscriptions",
        Gauge,
        "Subscriptions by state, seen from the inside person",
        partner=CONFIG,
        state=SUBSCRIPTION_STATES,
    )
    presence_updates = Row(
        "gateway_presence_updates_total", Counter, "Presence that crossed", partner=CONFIG, direction=DIRECTION
    )
    presence_coalesced = Row(
        "gateway_presence_coalesced_total",
        Counter,
        "Presence that a newer one replaced while it waited, or that would have said nothing new",
        partner=CONFIG,
    )
    messages = Row(
        "gateway_messages_total",
        Counter,
        "Messages by what was decided about them",
        partner=CONFIG,
        direction=DIRECTION,
        outcome=words("accepted refused ignored"),
    )
    bounces = Row(
        "gateway_bounces_total",
        Counter,
        "Error replies that crossed or that we made",
        partner=CONFIG,
        condition=CONDITIONS,
    )

    # Queues and abuse
    queue_stanzas = Row("gateway_queue_stanzas", Gauge, "Stanzas that wait for the partner", partner=CONFIG)
    queue_bytes = Row("gateway_queue_bytes", Gauge, "Bytes that wait for the partner", partner=CONFIG)
    queue_oldest = Row("gateway_queue_oldest_seconds", Gauge, "Age of the stanza that waits longest", partner=CONFIG)
    queue_dropped = Row(
        "gateway_queue_dropped_total",
        Counter,
        "Stanzas that left the queue undelivered",
        partner=CONFIG,
        reason=REASONS,
    )
    limited = Row(
        "gateway_rate_limited_total",
        Counter,
        "Stanzas and connections over a limit",
        partner=CONFIG,
        limit=words("stanzas subscriptions messages connections address table people"),
    )
    unique_targets = Row(
        "gateway_unique_targets",
        Gauge,
        "Addresses of ours that the partner has asked for by itself; of those that nobody has listed, the most",
        partner=CONFIG,
    )
    watchlisted = Row(
        "gateway_watchlisted",
        Gauge,
        "Whether the partner is under suspicion; of those that nobody has listed, how many",
        partner=CONFIG,
    )
    parser_rejects = Row(
        "gateway_parser_rejects_total",
        Counter,
        "Input that was refused before anything was made of it",
        protocol=PROTOCOL,
        reason=PARSER_REASONS,
    )
    guard_refused = Row(
        "gateway_guard_refused_total",
        Counter,
        "What the output guard kept back because it held what may not leave: a defect of the gateway",
        protocol=PROTOCOL,
    )
    directory_failures = Row(
        "gateway_directory_failures_total", Counter, "Questions to a directory or calendar that it did not answer"
    )
    tap_failures = Row(
        "gateway_tap_failures_total",
        Counter,
        "Envelopes that a tap could not record; a required tap stops the delivery",
        required=words("yes no"),
    )
    ledger_entries = Row(
        "gateway_ledger_entries_total",
        Counter,
        "Entries of the disclosure ledger: written, or failed, so that what they were about did not leave",
        outcome=words("written failed"),
    )
    ledger_up = Row("gateway_ledger_up", Gauge, "Whether the disclosure ledger is written; if not, nothing leaves")
    ledger_lag = Row("gateway_ledger_lag_seconds", Gauge, "How long the oldest entry has waited for the disk")
    spool_messages = Row(
        "gateway_spool_messages", Gauge, "Messages on disk that were accepted and are not delivered yet", partner=CONFIG
    )
    spool_bytes = Row("gateway_spool_bytes", Gauge, "What these messages take", partner=CONFIG)
    spool_up = Row("gateway_spool_up", Gauge, "Whether messages are taken; if not, they are refused")
    spooled = Row(
        "gateway_spooled_total",
        Counter,
        "Messages kept on disk, refused for want of room, confirmed, or sent to who confirms none",
        outcome=words("written refused delivered unconfirmed"),
    )
    archive_on = Row("gateway_archive_on", Gauge, "Whether anything is archived")
    archive_up = Row("gateway_archive_up", Gauge, "Whether the archive is written; 0 as well while none is kept")
    archive_critical = Row(
        "gateway_archive_critical", Gauge, "Whether messages are refused that must be archived and cannot be"
    )
    archive_records = Row(
        "gateway_archive_records_total",
        Counter,
        "Records of the archive: written, or failed, and then lost unless what they were about was refused",
        outcome=words("written failed"),
    )
    archive_lag = Row("gateway_archive_lag_seconds", Gauge, "How long the oldest record has waited for the database")
    history = Row(
        "gateway_history_total",
        Counter,
        "Conversations for mailboxes: kept there, failed attempts, given up for age, dropped for want of room",
        outcome=words("kept failed expired dropped"),
    )
    history_waiting = Row("gateway_history_waiting", Gauge, "Conversations that are over and not in their mailbox yet")
    history_oldest = Row("gateway_history_oldest_seconds", Gauge, "How long the oldest of them has waited")
    notices = Row(
        "gateway_notices_total",
        Counter,
        "Notices to contacts that what is said is kept: on their way, or failed, so that they are told again",
        partner=CONFIG,
        outcome=words("sent failed"),
    )
    errors = Row("gateway_unexpected_errors_total", Counter, "Defects: exceptions that nobody expected")

    # The process
    reactor_stalls = Row(
        "gateway_reactor_stall_seconds",
        Histogram,
        "Rounds of more than 20 ms: while one lasts nothing is read, sent or answered",
    )
    reactor_lag = Row("gateway_reactor_lag_seconds", Gauge, "How late the last one-second timer fired")
