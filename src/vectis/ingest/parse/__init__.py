"""Reading text of each format into one outline of sections and blocks. One module per format; pure and bounded."""
