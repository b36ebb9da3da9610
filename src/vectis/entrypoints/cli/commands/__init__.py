"""The commands, a module for each; where one has many, the rest stand in modules that begin with its name."""
