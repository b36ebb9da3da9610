"""Where the values of settings come from and whether they fit together. Which settings there are is settings.py's."""
