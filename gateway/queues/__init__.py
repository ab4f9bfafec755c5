"""What waits for a link or a disk: one bounded queue a pair of domains, and the durable spool."""
