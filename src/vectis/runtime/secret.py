"""Values that nothing prints: not in a repr, a log, a listing or a JSON document. Whoever needs the text asks by name."""

import re


class Secret:
    """A text that shows as `***`. Empty is false."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for whoever is to be shown it."""
        return self._text

    def confidential(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._text)

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretUrl(Secret):
    """A URL that shows without its password."""

    __slots__ = ()

    def confidential(self) -> bool:
        """Whether it holds a password."""
        return str(self) != self._text

    def __str__(self) -> str:
        without = re.sub(r"(://[^:@/]*):.*@", r"\1:***@", self._text)
        return re.sub(r"([?&]password=)[^&]*", r"\1***", without)
