"""Text as it came from outside, made fit for what reads it."""


def sound(text: str) -> str:
    """With "?" for each lone surrogate, which neither the engine nor a tokenizer nor UTF-8 takes."""
    return text.encode(errors="replace").decode()
