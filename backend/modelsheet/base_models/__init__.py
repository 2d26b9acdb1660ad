"""Base models on this machine: which there are, where their files lie, how to get one."""
