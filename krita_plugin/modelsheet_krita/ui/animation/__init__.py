"""The form for model sheets and animations, and its parts."""
