"""Says what Python files import, as JSON: for the label to be compared with, before anything is built."""

import ast
import json
import sys


def imports(file: str) -> dict[str, object]:
    """What a file imports, each name with its place; or what is wrong with it."""
    with open(file, encoding="utf-8") as opened:
        text = opened.read()
    try:
        tree = ast.parse(text, file)
    except SyntaxError as error:
        return {"file": file, "problem": {"line": error.lineno or 1, "column": error.offset or 1, "message": error.msg}}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, None, alias) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(node.module, alias.name, alias) for alias in node.names]
    named = [{"module": module, "name": name, "line": at.lineno, "column": at.col_offset + 1} for module, name, at in found]
    defined = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    functions = [
        {"name": node.name, "async": isinstance(node, ast.AsyncFunctionDef), "line": node.lineno, "column": node.col_offset + 1}
        for node in defined
    ]
    again = [alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return {"file": file, "imports": named, "functions": functions, "names": again}


if __name__ == "__main__":
    json.dump([imports(file) for file in sys.argv[1:]], sys.stdout)
