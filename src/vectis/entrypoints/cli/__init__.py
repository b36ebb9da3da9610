"""The command line. It reaches a server over HTTP like anybody else and knows nothing of the floors behind it."""
