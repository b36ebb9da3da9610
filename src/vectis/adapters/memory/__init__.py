"""Everything in process memory, exact and lost on exit: for tests, trials and users of the ports."""
