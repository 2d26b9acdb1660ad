"""Install the plugin into Krita. No package is needed."""
