"""Floor 1: one folder per technology. Each serves ports of the domain; nothing but runtime/wiring imports them."""
