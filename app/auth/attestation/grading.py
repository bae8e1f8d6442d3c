"""What a new phone's statement is worth under this bank's policy (auth.md 5).

`require` takes STRONG only. `prefer` takes what there is and lets it age: without a new
statement a NONE or BASIC is good for 30 days, a STRONG for 90. `off` demands nothing
and what was graded then does not age. A statement that came is verified under each of
them: supplied and invalid is refused.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.auth import signing
from app.auth.actor import AttestationGrade, Platform
from app.auth.attestation import (
    AndroidChain,
    Attested,
    Evidence,
    Fault,
    Rejected,
    Summary,
)
from app.auth.keys import Jwk
from app.clock import Clock
from app.settings import Settings

if TYPE_CHECKING:  # certificates are read at first use: a bank starts without them
    from app.auth.attestation.android import Wanted
    from app.auth.attestation.roots import Roots

_TEXT_MAX = 65_536
_AGES = {
    AttestationGrade.NONE: timedelta(days=30),
    AttestationGrade.BASIC: timedelta(days=30),
    AttestationGrade.STRONG: timedelta(days=90),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """What is kept of a phone's statement.

    Args:
        grade: what the phone proved.
        until: when the grade stops counting in full; None: never.
        summary: what was found; empty without a statement.
        key: App Attest's own key, which later assertions are checked with.
        counter: that key's counter.
    """

    grade: AttestationGrade
    until: datetime | None
    summary: Summary
    key: Jwk | None = None
    counter: int | None = None


class Attestations:
    """Judges what phones send when they are bound.

    Args:
        clock: the bank's clock.
        settings: policy, our apps, the oldest patch.
        roots: whom to trust; the vendors if left out.
    """

    def __init__(
        self, *, clock: Clock, settings: Settings, roots: "Roots | None" = None
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._roots = roots

    async def judge(
        self, platform: Platform, evidence: Evidence | None, nonce: bytes, key: Jwk
    ) -> Graded:
        """Grade the statement about a device key.

        Args:
            platform: what the phone said it is when it enrolled.
            evidence: what it sent, if anything.
            nonce: the binding nonce; both vendors' challenges are made of it (2.2).
            key: the device key.

        Raises:
            Rejected: policy asks for more, or the statement is not good.
        """
        required = self._settings.attestation == "require"
        if evidence is None:
            if required:
                raise Rejected(Fault.ABSENT)
            return self._graded(AttestationGrade.NONE, {})
        found = await self._verified(platform, evidence, nonce, key)
        if required and found.level is not AttestationGrade.STRONG:
            raise Rejected(Fault.WEAK)
        return self._graded(found.level, found.summary, found.key, found.counter)

    async def judge_personal(
        self, platform: Platform, evidence: Evidence | None, nonce: bytes, key: Jwk
    ) -> Summary:
        """Judge the statement about a biometric key (2.7); gives what was found.

        An iPhone sends none, because App Attest says nothing about other keys: the
        grade of the device stands for both. One of an Android phone has to say that
        each use of the key needs a finger or a face.

        Args:
            platform: what the phone said it is when it enrolled.
            evidence: what it sent, if anything.
            nonce: the nonce the key signed; the vendor's challenge is made of it.
            key: the biometric key.

        Raises:
            Rejected: policy asks for more, or the statement is not good.
        """
        android = platform is Platform.ANDROID
        required = android and self._settings.attestation == "require"
        if evidence is None:
            if required:
                raise Rejected(Fault.ABSENT)
            return {}
        if not android or not isinstance(evidence, AndroidChain):
            raise Rejected(Fault.PLATFORM)
        found = await asyncio.to_thread(
            self._verify, evidence, nonce, key, personal=True
        )
        if required and found.level is not AttestationGrade.STRONG:
            raise Rejected(Fault.WEAK)
        return found.summary

    # -------------------------------------------------------------- inside

    async def _verified(
        self, platform: Platform, evidence: Evidence, nonce: bytes, key: Jwk
    ) -> Attested:
        android = isinstance(evidence, AndroidChain)
        if platform is not (Platform.ANDROID if android else Platform.IOS):
            raise Rejected(Fault.PLATFORM)
        # Milliseconds of signatures, and the first call loads the libraries.
        return await asyncio.to_thread(self._verify, evidence, nonce, key)

    def _verify(
        self, evidence: Evidence, nonce: bytes, key: Jwk, *, personal: bool = False
    ) -> Attested:
        from app.auth.attestation import roots  # noqa: PLC0415  -- see above

        trusted = self._roots or roots.vendors()
        if isinstance(evidence, AndroidChain):
            from app.auth.attestation.android import Wanted  # noqa: PLC0415  -- same

            challenge = signing.attestation_challenge(nonce)
            wanted = Wanted(challenge=challenge, key=key, person=personal)
            return self._android(evidence, wanted, trusted)
        from app.auth.attestation import apple  # noqa: PLC0415  -- see above

        policy = apple.ApplePolicy(
            apps=self._settings.ios_apps,
            development=self._settings.app_attest_development,
            roots=trusted.apple,
        )
        client_hash = signing.sha256(signing.binding_message(nonce, key.thumbprint))
        (statement,) = _bytes(evidence.statement)
        return apple.verify(
            statement, evidence.key_id, client_hash, policy, self._clock
        )

    def _android(
        self, evidence: AndroidChain, wanted: "Wanted", trusted: "Roots"
    ) -> Attested:
        from app.auth.attestation import android  # noqa: PLC0415  -- see above

        policy = android.AndroidPolicy(
            apps=frozenset(self._settings.android_apps),
            patch_floor=self._settings.android_patch_floor,
            roots=trusted.android,
        )
        chain = _bytes(*evidence.certificates)
        return android.verify(chain, wanted, policy, self._clock)

    def _graded(
        self,
        grade: AttestationGrade,
        summary: Summary,
        key: Jwk | None = None,
        counter: int | None = None,
    ) -> Graded:
        ages = self._settings.attestation != "off"
        until = self._clock.now() + _AGES[grade] if ages else None
        return Graded(
            grade=grade, until=until, summary=summary, key=key, counter=counter
        )


def _bytes(*texts: str) -> list[bytes]:
    if sum(map(len, texts)) > _TEXT_MAX:
        raise Rejected(Fault.FORMAT)
    try:
        return [signing.unb64u(text) for text in texts]
    except signing.MalformedText:
        raise Rejected(Fault.FORMAT) from None
