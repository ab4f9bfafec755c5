"""The closed sets that label values come from."""

OTHER = "_other"
"""Is the label value that stands for everything outside a label's closed set."""

CONFIGURED = frozenset({"partner", "domain", "level"})
"""Labels whose values come from the configuration."""

OURS = frozenset({"direction", "action", "field", "decision", "kind", "outcome", "event", "state", "limit"})
"""Labels whose values only this code chooses: a value outside the set is a mistake and raises ValueError."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FIELDS = words("""
    availability show activity note idle last_active device capabilities display_name email title company department
    office phone.work phone.mobile phone.home phone.other address.work address.home url photo location time_zone mood
    free_busy meeting.subject meeting.location out_of_office working_hours
""")
REASONS = words("""
    allowed not-published level ceiling lock switched-off not-subscribed blocked unknown-partner not-allowed-person
    denied-domain contract-expired not-federated wall may-not-start unverified harvest modality stranger
    unsolicited no-change empty rate size queue-full link-down tap-failed policy-error
""")
CONDITIONS = words("""
    bad-request conflict feature-not-implemented forbidden gone internal-server-error item-not-found jid-malformed
    not-acceptable not-allowed not-authorized policy-violation recipient-unavailable redirect registration-required
    remote-server-not-found remote-server-timeout resource-constraint service-unavailable subscription-required
    undefined-condition unexpected-request
""")
LINK_REASONS = words("""
    closed timeout idle dead-peer refused dns tls certificate pin auth stream-error slow-reader limit conflict
    not-authorized policy shutdown replaced protocol
""") | {""}
PARSER_REASONS = words("""
    not-well-formed restricted-xml bad-format unsupported-encoding invalid-namespace invalid-xml policy-violation
    invalid-from host-unknown improper-addressing unsupported-stanza-type unsupported-version not-authorized
    connection-timeout too-long too-deep too-many size depth attributes namespaces elements time
""")
CIPHERS = words("""
    TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256 ECDHE-ECDSA-AES256-GCM-SHA384
    ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256
    ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305
""")

PROTOCOL = words("xmpp sip")
DIRECTION = words("in out")
KINDS = words("message presence subscription query answer bounce")
SUBSCRIPTION_STATES = words("none none+out none+in none+out+in to to+in from from+out both")

CONFIG = frozenset[str]()
"""Stands in the table for a set that the configuration gives."""
