from tests.house.tree import OURS, files, functions, named

FILE_LINES = 400
FUNCTION_LINES = 70


def test_no_file_passes_400_lines() -> None:
    long = {
        named(file): count
        for file in files(*OURS)
        if (count := len(file.read_text().splitlines())) > FILE_LINES
    }

    assert long == {}


def test_no_function_passes_70_lines() -> None:
    long = {}
    for file in files(*OURS):
        for node in functions(file):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                long[f"{named(file)}:{node.name}"] = count

    assert long == {}
