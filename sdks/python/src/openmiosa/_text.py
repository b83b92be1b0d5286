"""Text from a sandbox, made safe to show."""


def plain(text: str) -> str:
    """Text that a sandbox chose, safe to print on a terminal: what steers it, or turns the direction of writing, is escaped."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
