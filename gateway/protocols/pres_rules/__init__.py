"""Documents of presence rules (RFC 4745, RFC 5025), read and written."""

from gateway.protocols.pres_rules.reading import read_rules
from gateway.protocols.pres_rules.writing import Holding, kamailio_rules, write_rules

__all__ = ["Holding", "kamailio_rules", "read_rules", "write_rules"]
