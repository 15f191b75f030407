"""What is wrong with a configuration, collected: one message names all of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem:
    """`line` is 1-based, 0 for the whole file; `key` is a path such as `upstreams[0].scopes`."""

    line: int
    key: str
    wrong: str
    remedy: str

    def at(self, file: str) -> str:
        where = f"{file}:{self.line}" if self.line else file
        return f"{where}: {self.key + ': ' if self.key else ''}{self.wrong}; {self.remedy}"


@dataclass
class Problems:
    """The collector that every reader is handed."""

    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, key: str, wrong: str, remedy: str) -> None:
        self.found.append(Problem(line, key, wrong, remedy))

    def check(self, file: str) -> None:
        """Raise `Refused` if anything was found."""
        if self.found:
            raise Refused(file, self.found)


class Refused(Exception):
    """The file is not applied, and nothing of it is. `lines` are ready to print; no secret is in them."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        self.lines = [problem.at(file) for problem in self.problems]
        super().__init__("\n".join(self.lines))
