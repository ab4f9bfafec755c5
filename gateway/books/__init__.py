"""What the house knows: pairs, subscriptions, who is there, what is published, what contacts were told."""
