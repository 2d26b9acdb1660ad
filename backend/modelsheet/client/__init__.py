"""Speak to a running service, or start one."""
