"""One module per part of the API: each function decodes nothing, decides nothing, calls one service and maps the answer."""
