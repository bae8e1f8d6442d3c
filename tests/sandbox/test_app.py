import httpx

PATHS = [
    "/sms/messages",
    "/fcm/token",
    "/fcm/v1/projects/{project}/messages:send",
    "/phones/{address}/inbox",
    "/_faults",
    "/_clock",
    "/livez",
]


def test_the_page_says_what_this_is_and_lists_its_routes(world: httpx.Client) -> None:
    page = world.get("/")

    assert page.status_code == 200
    assert "The outside world" in page.text
    assert [path for path in PATHS if f"<code>{path}</code>" not in page.text] == []


def test_it_says_that_it_lives(world: httpx.Client) -> None:
    assert world.get("/livez").text == "ok\n"


def test_a_page_of_another_name_reads_nothing(world: httpx.Client) -> None:
    answer = world.get(
        "/phones/+915550000001/inbox", headers={"host": "evil.example:8001"}
    )

    assert answer.status_code == 400
    assert "messages" not in answer.text
