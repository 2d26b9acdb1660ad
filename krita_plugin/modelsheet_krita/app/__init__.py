"""Register docker and actions with Krita, and read its settings."""
