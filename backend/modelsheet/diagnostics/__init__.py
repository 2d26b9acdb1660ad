"""Check an installation, and write a support bundle."""
