"""Run jobs in a worker process: learn, generate, download."""
