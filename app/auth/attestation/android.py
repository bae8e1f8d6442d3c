"""Android Key Attestation: the key store says where a key lives and who may use it.

The order is that of auth.md 5.1: chain, signatures, root, dates, status, extension,
policy. A chain that fails only by date is graded BASIC: phones are sold with
provisioning certificates that end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509

from app.auth import signing
from app.auth.actor import AttestationGrade
from app.auth.attestation import Attested, Fault, Rejected, roots
from app.auth.attestation import key_description as schema
from app.auth.attestation.key_description import KeyDescription, SecurityLevel, Tag
from app.auth.keys import Jwk
from app.clock import Clock
from app.written import AndroidApp

CHAIN_MIN, CHAIN_MAX = 2, 8
CHAIN_BYTES_MAX = 32_768
_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
_EC, _P256_BITS, _P256 = 3, 256, 1
_GENERATED = 0
_SIGN, _VERIFY = 2, 3
_BIOMETRIC = 2
_DAYS_BELOW = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AndroidPolicy:
    """What this bank takes.

    Args:
        apps: our apps: package and SHA-256 of the signing certificate.
        patch_floor: oldest security patch of the system, YYYYMM; None takes any.
        roots: certificates that end a chain; only their keys count.
        revoked: serial numbers the vendor revoked or suspended.
    """

    apps: frozenset[AndroidApp]
    patch_floor: int | None
    roots: tuple[x509.Certificate, ...]
    revoked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a statement has to be about.

    Args:
        challenge: 32 bytes the key was made with.
        key: the key that is being registered.
        person: whether using it must need the person's finger or face (2.7).
    """

    challenge: bytes = field(repr=False)
    key: Jwk
    person: bool = False


def verify(
    raw: Sequence[bytes], wanted: Wanted, policy: AndroidPolicy, clock: Clock
) -> Attested:
    """Judge a chain; takes milliseconds: call it in a thread.

    Args:
        raw: 2 to 8 certificates, DER, leaf first, at most 32 KB together.
        wanted: challenge and key.
        policy: what is taken.
        clock: dates are compared with it.

    Raises:
        Rejected: anything does not fit; `fault` names the check.
    """
    if not CHAIN_MIN <= len(raw) <= CHAIN_MAX or sum(map(len, raw)) > CHAIN_BYTES_MAX:
        raise Rejected(Fault.CHAIN)
    chain = roots.load(raw)
    roots.require_signatures(chain)
    below = roots.anchored(chain, policy.roots)
    in_time = roots.in_time(below, clock.now())
    if any(one.serial_number in policy.revoked for one in chain):
        raise Rejected(Fault.REVOKED)
    found = schema.read(_only_in_the_leaf(chain))
    if not signing.same(found.challenge, wanted.challenge):
        raise Rejected(Fault.CHALLENGE)
    if not roots.is_key_of(chain[0], wanted.key):
        raise Rejected(Fault.KEY)
    _require_key_facts(found)
    if wanted.person:
        _require_person(found)
    _require_boot(found)
    patch = _patch(found, policy)
    strong = in_time and found.level is not SecurityLevel.SOFTWARE
    return Attested(
        level=AttestationGrade.STRONG if strong else AttestationGrade.BASIC,
        summary={
            "format": "android-key",
            "store": found.level.name,
            "app": _app(found, policy),
            "patch": patch or 0,
            "in_time": in_time,
        },
    )


# ------------------------------------------------------------------ inside


def _only_in_the_leaf(chain: Sequence[x509.Certificate]) -> bytes:
    """Give the leaf's extension.

    Were it allowed above, an attested key could sign a leaf that says anything.
    """
    leaf, *others = (roots.extension(one, _EXTENSION) for one in chain)
    if leaf is None or any(other is not None for other in others):
        raise Rejected(Fault.EXTENSION)
    return leaf


def _require_key_facts(found: KeyDescription) -> None:
    """Demand a P-256 key made in there, that signs and does nothing else."""
    facts = found.facts
    if schema.number(facts, Tag.ORIGIN) != _GENERATED:
        raise Rejected(Fault.ORIGIN)
    purposes = schema.numbers(facts, Tag.PURPOSE)
    if _SIGN not in purposes or not purposes <= {_SIGN, _VERIFY}:
        raise Rejected(Fault.PURPOSE)
    curve = schema.number(facts, Tag.EC_CURVE)
    size = schema.number(facts, Tag.KEY_SIZE)
    # Keymaster 1 names the size only; later ones name the curve.
    if curve not in {None, _P256} or size not in {None, _P256_BITS}:
        raise Rejected(Fault.KEY)
    if schema.number(facts, Tag.ALGORITHM) != _EC or (curve, size) == (None, None):
        raise Rejected(Fault.KEY)
    if Tag.ALL_APPLICATIONS in {*found.software, *found.hardware}:
        raise Rejected(Fault.SHARED)


def _require_person(found: KeyDescription) -> None:
    """Demand that each use needs a finger or a face, not only an unlocked phone."""
    facts = found.facts
    kinds = schema.number(facts, Tag.USER_AUTH_TYPE) or 0
    loose = {Tag.NO_AUTH_REQUIRED, Tag.AUTH_TIMEOUT} & {
        *found.software,
        *found.hardware,
    }
    if loose or not kinds & _BIOMETRIC:
        raise Rejected(Fault.PERSON)


def _require_boot(found: KeyDescription) -> None:
    """Demand a locked boot loader and a verified system.

    A software store cannot know; what it says all the same must not be bad.
    """
    boot = schema.root_of_trust(found.facts)
    if boot is None and found.level is SecurityLevel.SOFTWARE:
        return
    if boot is None or not boot.locked or not boot.verified:
        raise Rejected(Fault.BOOT)


def _patch(found: KeyDescription, policy: AndroidPolicy) -> int | None:
    """Give the month of the last security patch, YYYYMM; some phones add the day."""
    patch = schema.number(found.facts, Tag.OS_PATCH_LEVEL)
    if patch is not None and patch >= _DAYS_BELOW:
        patch //= 100
    if policy.patch_floor is not None and (patch or 0) < policy.patch_floor:
        raise Rejected(Fault.PATCH)
    return patch


def _app(found: KeyDescription, policy: AndroidPolicy) -> str:
    calling = schema.calling_app(found.software)
    if calling is not None:
        for app in policy.apps:
            if app.package in calling.packages and app.digest in calling.digests:
                return app.package
    raise Rejected(Fault.APP)
