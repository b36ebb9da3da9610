"""The worker: runs jobs. It has no surface but its log."""
