"""Measure the motion model: right pose, right character, exact pixels, flicker, seconds."""
