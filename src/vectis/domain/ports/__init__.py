"""What the features need of the outside, in the words of the domain. Adapters serve these; runtime/wiring chooses."""
