"""Pictures of the control store kept in memory."""
