"""Running a server: readiness today; diagnostics, capacity and incidents join it here."""
