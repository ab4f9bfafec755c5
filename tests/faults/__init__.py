"""The daemon under a steady load and a fault, and a judge who has seen both ends."""
