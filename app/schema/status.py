"""How the bank is and which apps it serves: works when everything else does not."""

from datetime import datetime

import strawberry

from app.auth.actor import Platform
from app.schema import guards, scalars
from app.schema.context import Info
from app.schema.guards import AuthLevel
from app.status.app_policy import AppPolicy as Policy
from app.status.health import Component, ComponentHealth, State

scalars.enum(State, "ServiceState")
scalars.enum(
    Platform,
    "Platform",
    "WEB is a browser whose device key is a non-extractable WebCrypto key: attestation "
    "NONE, low limits, payments approved on a phone.",
)


@strawberry.type(
    description="Computed from what the adapters really see, not typed by hand."
)
class ServiceHealth:
    """The contract's view of one component."""

    component: Component
    state: State
    since: datetime
    success_rate_1m: float | None = strawberry.field(
        description=(
            "Share of good answers of the partner in the last minute, 0 to 1; null "
            "without traffic."
        )
    )
    p95_ms: int | None
    automatic: bool = strawberry.field(description="False when staff set the state.")

    @classmethod
    def of(cls, seen: ComponentHealth) -> "ServiceHealth":
        """Show one component."""
        return cls(
            component=seen.component,
            state=seen.state,
            since=seen.since,
            success_rate_1m=seen.success_rate_1m,
            p95_ms=seen.p95_ms,
            automatic=True,
        )


@strawberry.type(
    description=(
        "`message`: sentence for the customer while the feature is off, in the "
        "language of `Accept-Language`."
    )
)
class FeatureSwitch:
    """One feature an app must hide for a while."""

    name: str
    enabled: bool
    message: str | None


@strawberry.type(description="Ask at start and when the app comes to the front.")
class AppPolicy:
    """Which versions may go on."""

    min_version: str
    latest_version: str
    must_upgrade: bool = strawberry.field(
        description=(
            "True: block the app and open the store. Mutations answer "
            "APP_UPDATE_REQUIRED."
        )
    )
    store_url: str | None = strawberry.field(description="Where the new version is.")
    features: list[FeatureSwitch] = strawberry.field(
        description=(
            "At most 50. A feature that is not listed is on; a name the app does not "
            "know is ignored."
        )
    )

    @classmethod
    def of(cls, policy: Policy) -> "AppPolicy":
        """Show a policy; this server switches no feature off and names no store."""
        return cls(
            min_version=policy.min_version,
            latest_version=policy.latest_version,
            must_upgrade=policy.must_upgrade,
            store_url=None,
            features=[],
        )


@strawberry.type
class Query:
    """What anybody may ask."""

    @guards.query(
        level=AuthLevel.ANONYMOUS,
        cost=1,
        description="Health of each part of the bank; works when everything else does "
        "not.",
    )
    def service_status(self, info: Info) -> list[ServiceHealth]:
        """Tell how each component is."""
        return [ServiceHealth.of(one) for one in info.context.bank.board.now()]

    @guards.query(
        level=AuthLevel.ANONYMOUS,
        cost=1,
        description="Whether an app of this version may go on.",
    )
    def app_policy(self, info: Info, platform: Platform, version: str) -> AppPolicy:
        """Tell an app whether it may go on; versions are the same on each platform."""
        del platform
        return AppPolicy.of(info.context.bank.app_policies.of(version))
