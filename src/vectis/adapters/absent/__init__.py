"""What stands in for a part that is switched off."""
