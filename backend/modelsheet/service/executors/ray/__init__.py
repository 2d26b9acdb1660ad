"""Run jobs on the GPUs of a Ray cluster, one actor for each worker."""
