"""Where jobs are carried out: inline (a thread, for tests) or in a worker process. Only the ledger
decides on retries.
"""
