"""The service process: HTTP API, job queue, blobs, events and executors. Nothing here imports
torch.
"""
