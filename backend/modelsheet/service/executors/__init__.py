"""Run jobs in a worker process, or (ray) on the GPUs of a cluster. Retries are decided by the job
store, not here.
"""
