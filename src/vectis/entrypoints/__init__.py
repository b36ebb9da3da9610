"""Floor 3: the surfaces. Each decodes, calls one service and encodes; nothing is decided here."""
