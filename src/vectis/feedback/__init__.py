"""Feedback: what users make known about answers, matched with the variant that answered."""
