"""Whatever a customer signs has somebody who goes on with it."""

import ast

from app.auth.signing import Purpose
from tests.house.tree import ROOT, nodes

EDGE = ROOT / "app/schema/challenges.py"
# A sign-in is finished by loginFinish, which has no session to go on in.
BY_ITSELF = {Purpose.LOGIN}


def test_every_purpose_of_a_challenge_has_its_route() -> None:
    """`challengeRespond` routes by purpose to the room that owns the subject."""
    routed = {
        node.attr
        for node in nodes(EDGE)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"Purpose", "ChallengePurpose"}
    }

    wanted = {purpose.name for purpose in set(Purpose) - BY_ITSELF}

    assert wanted - routed == set()
