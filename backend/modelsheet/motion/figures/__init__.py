"""Measure figures in drawings, and fit the mannequins that show poses. No torch here."""
