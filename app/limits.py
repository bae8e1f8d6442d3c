"""How often and how much: the settings of rates and of the sizes of requests.

They stand apart from `settings.py` only for length; nothing reads them by itself.
"""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.written import Limit, Rate


class Limits(BaseSettings):
    """What one caller may ask for; each name is one of `Settings`."""

    # ---- limits
    limit_factor: int = Field(
        1, description="Multiplies the counts of this group; demo and test: 1000.", ge=1
    )
    limit_cost: Limit = Field(
        Rate(20000, 10), description="Cost points of one proven key."
    )
    limit_login: Limit = Field(Rate(10, 60), description="Sign-in fields of one key.")
    limit_respond: Limit = Field(Rate(10, 60), description="Approvals of one key.")
    limit_refresh: Limit = Field(Rate(30, 60), description="Refreshes of one key.")
    limit_enrol: Limit = Field(Rate(3, 600), description="Codes sent per number.")
    limit_enrol_day: Limit = Field(
        Rate(5, 86400), description="Codes sent per number and day."
    )
    limit_resend: Limit = Field(Rate(1, 60), description="Codes sent again per number.")
    limit_payee_check: Limit = Field(
        Rate(20, 3600), description="Names of payees asked for by one customer."
    )
    limit_step_ups: int = Field(3, description="Pending step-ups per session.")
    limit_push_set: Limit = Field(
        Rate(5, 86400), description="New push addresses of one device."
    )
    limit_address_requests: Limit = Field(
        Rate(600, 60), description="Requests of an address without a proven key."
    )
    limit_address_proofs: Limit = Field(
        Rate(600, 60), description="Failed proofs of an address."
    )
    limit_address_enrol: Limit = Field(
        Rate(200, 600), description="Enrolments started by an address."
    )
    limit_address_login: Limit = Field(
        Rate(600, 60), description="Sign-ins of unknown keys by an address."
    )
    limit_address_handshakes: Limit = Field(
        Rate(300, 60), description="Socket handshakes of an address."
    )
    limit_handshakes: Limit = Field(
        Rate(30, 60), description="Socket handshakes of one proven key."
    )
    limit_sockets_customer: int = Field(5, description="Sockets per customer.")
    limit_address_sockets: int = Field(50, description="Anonymous sockets per address.")
    limit_messages: Limit = Field(Rate(60, 60), description="Messages of one socket.")

    # ---- sizes of requests (graphql.md section 6)
    max_body_bytes: int = Field(65536, description="Largest request body.")
    max_document_chars: int = Field(15000, description="Longest document.")
    max_document_tokens: int = Field(1000, description="Tokens of a document.")
    max_definitions: int = Field(30, description="Definitions of a document.")
    max_fields: int = Field(400, description="Fields after spreading fragments.")
    max_depth: int = Field(10, description="Depth of a document.")
    max_introspection_depth: int = Field(16, description="Depth of a schema query.")
    max_aliases: int = Field(15, description="Aliases of a document.")
    max_directives: int = Field(20, description="Directives of a document.")
    max_query_roots: int = Field(10, description="Root fields of a query.")
    max_cost: int = Field(2000, description="Price of a document.")
    max_variable_depth: int = Field(8, description="Depth of the variables.")
    max_variable_items: int = Field(200, description="Items of a list in variables.")
    max_errors: int = Field(5, description="Errors that are sent.")
    max_documents: int = Field(2000, description="Prepared documents kept.")
    max_operation_s: float = Field(10.0, description="Longest execution, seconds.")
