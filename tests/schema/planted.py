"""A small contract whose fields have to be waited for, and engines that are watched."""

import asyncio
from dataclasses import dataclass, field
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import strawberry
from graphql.execution import Executor
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from typing_extensions import override

from app.auth.actor import Actor
from app.errors import BadRequest, Outage
from app.schema import guards, refusals, root, scalars
from app.schema.context import Info
from app.schema.execution import Call, Engine
from app.schema.guards import AuthLevel
from app.schema.library import Documents
from app.schema.masking import Answer
from app.schema.plan.compiler import Plan
from app.schema.plan.plans import NoPlans, Plans
from app.schema.plan.shapes import Part, Shape
from app.schema.plan.support import Unprojectable
from tests.schema.tiny import SECRET, FakeBank, a_bank, a_context


class Shouting(FieldExtension):
    """Stands around a resolver."""

    @override
    def resolve(
        self, next_: Any, source: Any, info: strawberry.Info, **given: Any
    ) -> Any:
        return str(next_(source, info, **given)).upper()


class Nobody(BasePermission):
    """Stands before a resolver."""

    message = "Nobody may."

    @override
    def has_permission(self, source: Any, info: strawberry.Info, **given: Any) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Shot:
    """What a leaf is made from."""

    place: int


@strawberry.type
class Leaf:
    """What hangs on a twig."""

    number: int

    @classmethod
    def of(cls, shot: Shot) -> "Leaf":
        """Show a leaf."""
        return cls(number=shot.place)


async def _leaves(twig: "Twig", _info: object) -> list[Shot]:
    return [Shot(twig.number), Shot(twig.number + 1)]


@strawberry.type
class Twig:
    """What grows on a branch."""

    number: int

    @classmethod
    def of(cls, shot: Shot) -> "Twig":
        """Show a twig."""
        return cls(number=shot.place)

    @scalars.field(
        snapshots=(
            _leaves,
            Shape(Leaf, Leaf.of, {"number": Part(attrgetter("place"))}),
        )
    )
    async def leaves(self, info: Info) -> list[Leaf]:
        """Give its leaves."""
        return [Leaf.of(one) for one in await _leaves(self, info)]


TWIG = Shape(Twig, Twig.of, {"number": Part(attrgetter("place"))})


def _twigs(_branch: object) -> list[Shot]:
    return [Shot(1), Shot(5)]


@strawberry.input
class Wish:
    """What is wished for."""

    counts: list[int]


@strawberry.type
class Branch:
    """Something that grows; what it is asked for is written down in the fake bank."""

    number: int

    @scalars.field()
    async def below(self, info: Info, by: int = 1) -> "Branch":
        """Give the next one."""
        _note(info, f"below {self.number}")
        await asyncio.sleep(0)
        return Branch(number=self.number + by)

    @scalars.field()
    async def beside(self, counts: list[int]) -> list["Branch"]:
        """Give some others."""
        return [Branch(number=one) for one in counts]

    @scalars.field()
    async def breaks(self, info: Info) -> str | None:
        """Fail as a bug does, late."""
        _note(info, "breaks")
        await asyncio.sleep(0)
        raise RuntimeError(SECRET)

    @scalars.field()
    def bursts(self) -> str | None:
        """Fail as a bug does, at once."""
        raise RuntimeError(SECRET)

    @scalars.field()
    async def gone(self) -> str:
        """Give null where none may be."""
        return None  # type: ignore[return-value]  # a bug of ours

    @scalars.field()
    async def waits(self) -> str:
        """Never answer."""
        await asyncio.Event().wait()
        return "late"

    @scalars.field()
    async def later(self, info: Info) -> "Branch":
        """Give the next one, late."""
        _note(info, "later")
        await asyncio.sleep(0.3)
        return Branch(number=self.number + 1)

    @scalars.field()
    async def tardy(self, info: Info) -> str:
        """Never answer the first time, and at once the second."""
        _note(info, "tardy")
        if info.context.bank.moves.count("tardy") == 1:  # type: ignore[attr-defined]  # the fake bank
            try:
                await asyncio.Event().wait()
            finally:
                _note(info, "left")
        return "answered"

    @scalars.field()
    async def weather(self, info: Info) -> str | None:
        """Fail as the notes of the bank say."""
        _note(info, "weather")
        moves = info.context.bank.moves  # type: ignore[attr-defined]  # the fake bank
        if "outage" in moves:
            raise Outage(SECRET)
        if "bug" in moves:
            raise RuntimeError(SECRET)
        if "wrong" in moves:
            raise BadRequest
        return "fine"

    @scalars.field()
    def greedy(self, counts: list[int], wish: Wish) -> list[int]:
        """Change what it is given."""
        counts.append(0)
        wish.counts.append(0)
        return counts + wish.counts

    @scalars.field(snapshots=(_twigs, TWIG))
    def twigs(self) -> list[Twig]:
        """Give what grows on it."""
        return [Twig.of(one) for one in _twigs(self)]

    @scalars.field(snapshots=(_twigs, TWIG))
    def some(self, first: int = 1) -> list[Twig]:
        """Give a part of what grows on it."""
        return [Twig.of(one) for one in _twigs(self)][:first]

    @scalars.field(snapshots=(_twigs,))  # type: ignore[arg-type]  # a bug of ours
    def crooked(self) -> list[Twig]:
        """Be declared wrongly."""
        return [Twig.of(one) for one in _twigs(self)]

    @scalars.field()
    def caller(self, info: Info) -> str:
        """Tell who asks."""
        return str(info.context.actor.customer)

    @strawberry.field(extensions=[Shouting()])  # type: ignore[untyped-decorator]  # the library's
    def loud(self) -> str:
        """Answer through an extension."""
        return "loud"

    @strawberry.field(permission_classes=[Nobody])  # type: ignore[untyped-decorator]  # the library's
    def guarded(self) -> str | None:
        """Answer nobody."""
        return SECRET


@strawberry.type
class Query:
    """Where it begins."""

    @guards.query(level=AuthLevel.ANONYMOUS, cost=1, description="The first.")
    def branch(self) -> Branch:
        """Give the first branch."""
        return Branch(number=1)

    @guards.query(
        level=AuthLevel.ANONYMOUS, cost=1, once=True, description="Is counted."
    )
    async def counted(self, info: Info) -> int:
        """Count how often it was asked."""
        _note(info, "counted")
        return len(info.context.bank.moves)  # type: ignore[attr-defined]  # the fake bank


@strawberry.type
class Mutation:
    """What changes something."""

    @guards.mutation(level=AuthLevel.ANONYMOUS, cost=1, description="Grows.")
    async def grow(self, info: Info) -> Branch:
        """Grow once."""
        _note(info, "grow")
        return Branch(number=7)


def _note(info: Info, what: str) -> None:
    info.context.bank.moves.append(what)  # type: ignore[attr-defined]  # the fake bank


SCHEMA = root.built(
    (SimpleNamespace(Query=Query, Mutation=Mutation, KINDS=refusals.KINDS),)
)


class WatchedPlans(Plans):
    """Plans that remember what they were asked for."""

    def __init__(self) -> None:
        super().__init__(SCHEMA)
        self.given: list[Plan | Unprojectable] = []

    @override
    def of(self, digest: str, executor: Executor[Any]) -> Plan | Unprojectable | None:
        found = super().of(digest, executor)
        if found is not None:
            self.given.append(found)
        return found

    @override
    def made(self, digest: str, executor: Executor[Any]) -> Plan | Unprojectable:
        before = len(self.given)
        found = super().made(digest, executor)
        self.given[before:] = [found]
        return found

    @property
    def whys(self) -> list[str]:
        """Why there was none, each time there was none."""
        return [one.why for one in self.given if isinstance(one, Unprojectable)]

    @property
    def different(self) -> int:
        """How many plans there are."""
        return len({id(one) for one in self.given if isinstance(one, Plan)})


@dataclass
class Garden:
    """A fake bank before two engines: with plans that are watched, and without."""

    bank: FakeBank = field(default_factory=a_bank)

    def __post_init__(self) -> None:
        self.plans = WatchedPlans()
        graph = SCHEMA._schema  # noqa: SLF001  -- as an engine makes them
        self.documents = Documents(graph, self.bank.settings)
        self.engine = self._engine(self.plans)
        self.core = self._engine(NoPlans(SCHEMA))

    async def ask(
        self, text: str, actor: Actor | None = None, /, **variables: object
    ) -> Answer:
        """Ask by a plan."""
        call = Call(text, variables=variables)
        return await self.engine.run(a_context(self.bank, actor), call)

    async def by_core(self, text: str, **variables: object) -> Answer:
        """Ask graphql-core."""
        call = Call(text, variables=variables)
        return await self.core.run(a_context(self.bank), call)

    @property
    def done(self) -> list[str]:
        """What resolvers wrote down."""
        return self.bank.moves

    def _engine(self, plans: Plans) -> Engine:
        bank = self.bank
        charge = bank.callers.charge
        return Engine(
            SCHEMA, bank.settings, bank.clock, charge, self.documents, plans=plans
        )
