"""Fuzz targets for everything that reads what a stranger sends, and the corpus of bytes that reaches their branches."""
