"""The measurements of aliases under rollout, added up in the process and kept in the control store."""
