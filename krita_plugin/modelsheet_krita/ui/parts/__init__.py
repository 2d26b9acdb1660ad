"""Parts of the docker that know none of its other widgets."""
