"""The server as commands see it: finding it, or starting one for the time being, and talking to it."""
