"""What passes through the gateway, in no protocol's words."""
