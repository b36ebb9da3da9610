"""Background jobs on the ledger: handing over, waiting, and running under leases."""
