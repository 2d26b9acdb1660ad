"""Families of base models: each in a package of its own, all of them in one table."""
