"""The SIP leg: TLS towards partners; TLS, TCP or UDP towards our own server."""
