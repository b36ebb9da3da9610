"""Who may call: principals, keys, log-ins, addresses, limits; the audit. The rule of who may do what is domain/access.py's."""
