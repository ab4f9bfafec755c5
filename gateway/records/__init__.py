"""What the gateway writes down: the ledger, the archive, the protocol log, the spool, the usage report."""
