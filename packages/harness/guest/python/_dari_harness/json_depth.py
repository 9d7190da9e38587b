# Measures how deep JSON is nested.

import re

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]}]')


def is_deeper(json: str, levels: int) -> bool:
    """Returns whether JSON is nested deeper than `levels`."""
    depth = 0
    for token in _STRING_OR_BRACKET.findall(json):
        if token in "[{":
            depth += 1
        elif token in "]}":
            depth -= 1
        if depth > levels:
            return True
    return False
