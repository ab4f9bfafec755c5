"""What can be asked of a running gateway: one office a subject, all of them parents of the daemon."""
