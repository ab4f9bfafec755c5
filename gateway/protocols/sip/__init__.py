"""SIP bytes and model, both ways: sans-IO."""
