"""The protocol between a job queue and the code that runs a job."""
