"""Forms for the choice of the backend and for setting one up."""
