"""What the toy does with words."""


def repeated(lines: list[str], times: int) -> list[str]:
    return [line for line in lines for _ in range(times)]


def counted(text: str, unit: str) -> int:
    return len(text.splitlines()) if unit == "lines" else len(text)


def spelled(word: str) -> str:
    return "-".join(word)
