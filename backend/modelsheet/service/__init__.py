"""The API process: HTTP, the ledger of jobs, blobs, events and the dispatcher. Nothing here imports
torch.
"""
