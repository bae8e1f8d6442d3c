"""Who gets in, and how: the settings of sign-in, phones, factors and waiting times.

They stand apart from `settings.py` only for length; nothing reads them by itself.
"""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from app.written import AndroidApps, IosApps, Words


class Access(BaseSettings):
    """How customers and phones are let in; each name is one of `Settings`."""

    # ---- sign-in
    access_ttl_s: int = Field(300, description="Life of an access token, seconds.")
    idle_s: int = Field(300, description="Session locks after this idle time, seconds.")
    absolute_s: int = Field(43200, description="Longest life of a session, seconds.")
    dpop_nonce: Literal["accepted", "required"] = Field(
        "accepted", description="Whether proofs must carry the server's nonce."
    )
    dpop_past_s: int = Field(60, description="Oldest accepted proof, seconds.")
    dpop_future_s: int = Field(10, description="Furthest accepted future, seconds.")
    attestation: Literal["off", "prefer", "require"] = Field(
        "off", description="What a new device must attest; off is for laptops."
    )
    android_apps: AndroidApps = Field(
        (), description="Our Android apps, package:certificate digest; others fail."
    )
    ios_apps: IosApps = Field((), description="Our iOS apps, TEAM.bundle; others fail.")
    android_patch_floor: int | None = Field(
        None, description="Oldest Android patch that attests, YYYYMM.", ge=200_001
    )
    app_attest_development: bool = Field(
        default=False, description="Whether App Attest of unpublished builds is BASIC."
    )
    webauthn_rp_id: str = Field(
        "localhost", description="Domain passkeys belong to; may never change."
    )
    webauthn_origins: Words = Field(
        (),
        description="Websites passkeys may come from; empty: the public URL. Apps "
        "follow from ANDROID_APPS and IOS_APPS.",
    )
    mpin_tries: int = Field(5, description="Wrong mPINs in a row before it is erased.")
    factor_tries: int = Field(
        5, description="Wrong answers in a row before any other factor pauses.", ge=1
    )
    factor_pause_s: int = Field(
        900, description="First pause of such a factor, seconds; each next one doubles."
    )
    factor_pause_max_s: int = Field(
        86400, description="Longest pause of such a factor, seconds."
    )
    device_tries: int = Field(
        10, description="Wrong factors of any kind before the device is locked."
    )
    customer_tries: int = Field(
        15, description="Wrong factors on two phones in 24 h before a customer waits."
    )
    customer_tries_max: int = Field(
        100, description="Such without a success before the customer is locked."
    )
    otp_s: int = Field(300, description="Life of a one-time code, seconds.")
    otp_tries: int = Field(3, description="Wrong tries per one-time code.")
    login_challenge_s: int = Field(120, description="Life of a sign-in challenge.")
    approval_s: int = Field(300, description="Life of an approval challenge, seconds.")
    outcome_s: int = Field(
        300, description="How long a lost answer of an approved call is given again."
    )
    authorise_s: int = Field(
        900, description="Longest wait of a new payment for its approval, seconds."
    )
    enrolment_s: int = Field(600, description="Life of an enrolment, seconds.")
    first_factor_s: int = Field(
        900, description="Time after binding to set a first factor, seconds."
    )
    activation_code_days: int = Field(14, description="Life of an activation code.")
    activation_tries: int = Field(10, description="Wrong tries per activation code.")
    activation_reusable: bool = Field(
        default=False, description="Whether a code works again; the demo's do."
    )
    totp_at_login: Literal["NEVER", "COOLING", "ALWAYS"] = Field(
        "NEVER",
        description="When a sign-in also asks for the authenticator app; only of "
        "customers who have one.",
    )
    totp_pending_s: int = Field(
        600, description="Time to type the first code of a new authenticator, seconds."
    )
    devices_max: int = Field(3, description="Bound devices per customer.", ge=1)
    passkeys_max: int = Field(10, description="Passkeys per customer.", ge=1)
    cooling_profile: Literal["standard", "IN", "SG"] = Field(
        "standard", description="Rules of the waiting time; SG waits half as long."
    )
    cooling_s: int = Field(86400, description="Waiting time of a new device, seconds.")
    payee_cooling_s: int = Field(
        86400, description="Waiting time of a new payee, seconds."
    )
    limit_raise_s: int = Field(
        86400, description="Wait until a limit that was raised counts, seconds.", ge=0
    )
    revocation_poll_s: float = Field(
        1.0, description="How often a process looks for ended sessions, seconds."
    )
