"""A federated presence and IM gateway: each outside contact sees exactly what he is entitled to."""

__version__ = "0.1.0"
