"""Set up the backend on this computer: find a Python, make an environment, install into it.

Only the standard library is imported, and all runs on Python 3.9: `install.sh` runs it before any
package is there, and Krita's own Python runs a copy of it inside the plugin.
"""
