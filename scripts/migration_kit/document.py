"""The shell blocks of a Markdown document, by the heading they stand under."""

import re


class Document:
    def __init__(self, text: str) -> None:
        self._blocks: dict[str, list[str]] = {}
        heading = ""
        for part in re.finditer(r"^## (?P<heading>[^\n]+)$|^```sh\n(?P<block>.*?)^```$", text, re.M | re.S):
            if part["heading"]:
                heading = part["heading"]
            else:
                self._blocks.setdefault(heading, []).append(part["block"])

    def block(self, heading: str, number: int = 0) -> str:
        """The numbered one below the heading; says so where the document has changed."""
        blocks = self._blocks.get(heading, [])
        if number >= len(blocks):
            raise RuntimeError(f'the document has no shell block {number} under "{heading}"')
        return blocks[number]
