"""Train the motion model: it redraws a character of 64 × 64 pixels in other poses. Experimental."""
