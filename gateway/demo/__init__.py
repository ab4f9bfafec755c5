"""Demo mode: the real gateway between small built-in servers on this machine alone."""
