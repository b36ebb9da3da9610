"""Who may do what: principals, keys, roles, sessions, addresses. The rule itself is domain/access.py's."""
