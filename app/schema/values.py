"""What values may be: flat and short, in the variables and in the document itself.

A value nested deep costs more than its length: whoever names it in a sentence prints
it level by level. Source: graphql.md section 6.
"""

from collections.abc import Iterator, Mapping

from graphql import DocumentNode, ListValueNode, Node, ObjectValueNode
from graphql.language.ast import QUERY_DOCUMENT_KEYS

from app.errors import BadRequest, TooComplex
from app.settings import Settings


def require_flat(variables: Mapping[str, object], settings: Settings) -> None:
    """Refuse variables nested too deep or with too long lists, without recursion.

    Raises:
        BadRequest: says which.
    """
    waiting: list[tuple[object, int]] = [(variables, 1)]
    while waiting:
        value, depth = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        if depth > settings.max_variable_depth:
            raise BadRequest("The variables are nested too deep.")
        if isinstance(value, list):
            if len(value) > settings.max_variable_items:
                raise BadRequest("A list in the variables is too long.")
            waiting.extend((one, depth + 1) for one in value)
        else:
            waiting.extend((one, depth + 1) for one in value.values())


def require_flat_literals(document: DocumentNode, settings: Settings) -> None:
    """Refuse the same in what a document itself holds; looks at each node once.

    Raises:
        TooComplex: says which.
    """
    waiting: list[tuple[Node, int]] = [(document, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, ListValueNode | ObjectValueNode):
            depth += 1
        if depth > settings.max_variable_depth:
            raise TooComplex("depth")
        long = isinstance(node, ListValueNode) and len(node.values)
        if long > settings.max_variable_items:
            raise TooComplex("items")
        waiting.extend((one, depth) for one in _parts(node))


def _parts(node: Node) -> Iterator[Node]:
    for name in QUERY_DOCUMENT_KEYS.get(node.kind, ()):
        part = getattr(node, name)
        if isinstance(part, Node):
            yield part
        elif part:
            yield from part
