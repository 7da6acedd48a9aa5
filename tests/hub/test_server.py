"""The Hub on this machine is to its clients what the Hub is."""

from __future__ import annotations

import random
from hashlib import sha1, sha256
from pathlib import Path

import httpx2
import pytest

from tests.hub.conftest import TOKEN, Client
from tests.hub.people import fine_grained, person
from tests.hub.server import Hub
from tests.hub.store import Repo

WEIGHTS = random.Random(1).randbytes(70_000)
FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Words\n",
    "model.safetensors": WEIGHTS,
    "a/b c/d.json": b"{}",
    "empty": b"",
}

UPLOAD = """
hub.create_repo("me/model", private=True, exist_ok=True)
files = {str(f.relative_to(here / "files")): f for f in (here / "files").rglob("*") if f.is_file()}
made = hub.create_commit("me/model", [Add(n, f) for n, f in files.items()], commit_message="All")
print(made.oid, made.commit_url)
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        file = tmp_path / "files" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "files"


@pytest.mark.parametrize("part", [0, 30_000], ids=["whole", "in parts"])
def test_what_is_uploaded_comes_back_byte_for_byte(
    client: Client, hub: Hub, files: Path, tmp_path: Path, part: int
) -> None:
    hub.storage.part, hub.listed = part, 2
    oid, address = client(UPLOAD).split()
    assert hub.repos["me/model"].files() == FILES
    assert hub.repos["me/model"].private
    assert (oid, address) == (hub.repos["me/model"].branches["main"], f"{hub.url}/me/model/commit/{oid}")
    assert hub.storage.checked == [sha256(WEIGHTS).hexdigest()]
    assert len(hub.asked_for("^PUT ")) == (3 if part else 1)
    back = Path(client("print(snapshot_download('me/model'))").strip())
    assert {name: (back / name).read_bytes() for name in FILES} == FILES
    assert len(hub.asked_for("^GET /api/models/me/model/tree/")) > 1  # pages


def test_a_repository_is_made_once(client: Client, hub: Hub) -> None:
    script = """
print(hub.create_repo("me/model"), hub.create_repo("me/model", exist_ok=True))
try:
    hub.create_repo("me/model")
except errors.HfHubHTTPError as error:
    print(error.response.status_code)
"""
    assert client(script).split() == [f"{hub.url}/me/model", f"{hub.url}/me/model", "409"]


def test_what_has_not_changed_is_not_sent_again(client: Client, hub: Hub, files: Path) -> None:
    first = client(UPLOAD)
    assert client(UPLOAD) == first
    (files / "a" / "b c" / "d.json").write_text("[]")
    client(UPLOAD)
    assert hub.repos["me/model"].files()["a/b c/d.json"] == b"[]"
    assert len(hub.asked_for("^PUT ")) == 1
    assert len(hub.asked_for("/commit/main$")) == 2


def test_one_who_may_not_see_a_private_repository_is_told_there_is_none(client: Client, hub: Hub, files: Path) -> None:
    hub.repos["me/model"] = Repo(private=True)
    hub.repos["me/model"].push(files)
    hub.people["hf_else"] = person(name="else")
    script = """
try:
    print(hub.model_info("me/model").id)
except errors.HfHubHTTPError as error:
    print(error.response.status_code, type(error).__name__)
"""
    assert client(script) == "me/model\n"
    assert client(script, token="hf_else") == "404 RepositoryNotFoundError\n"
    assert client(script, token="") == "401 RepositoryNotFoundError\n"
    assert client(script, token="hf_unknown") == "401 HfHubHTTPError\n"


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (person(), True), (person("read"), False), (person(name="else"), False), (person("write", "me:read", name="else"), False),
        (fine_grained("repo.write"), True), (fine_grained("repo.write", entity="me/model"), True),
        (fine_grained("repo.write", entity="me/other"), False), (fine_grained("repo.content.read"), False),
    ],
)  # fmt: skip
def test_rights_are_those_of_the_person_and_of_the_token(
    client: Client, hub: Hub, files: Path, who: dict[str, str], may: bool
) -> None:
    hub.repos["me/model"] = Repo()
    hub.repos["me/model"].push(files)
    hub.people[TOKEN] = who
    script = """
hub.auth_check("me/model")
for attempt in (lambda: hub.auth_check("me/model", write=True), lambda: hub.create_tag("me/model", tag="v1")):
    try:
        attempt()
        print(True)
    except errors.HfHubHTTPError as error:
        print(error.response.status_code != 403)
"""
    assert client(script).split() == [str(may)] * 2
    assert bool(hub.repos["me/model"].tags) is may


def test_tags_pull_requests_and_revisions_stand_for_commits(client: Client, hub: Hub, files: Path) -> None:
    client(UPLOAD)
    script = """
hub.create_tag("me/model", tag="v1")
hub.create_tag("me/model", tag="v1", exist_ok=True)
new = [Add("new.json", b"1"), Add("new.onnx", b"2")]
pull = hub.create_commit("me/model", new, commit_message="More", create_pr=True)
print(pull.pr_num, pull.pr_revision, pull.pr_url)
print([(d.num, d.title, d.status, d.is_pull_request) for d in hub.get_repo_discussions("me/model")])
print(hub.file_exists("me/model", "new.json"), hub.file_exists("me/model", "new.json", revision="refs/pr/1"))
print([f.path for f in hub.get_paths_info("me/model", ["new.onnx", "a", "none"], revision="refs/pr/1")])
print([t.name for t in hub.list_repo_refs("me/model").tags], hub.list_repo_refs("me/model", include_pull_requests=True).pull_requests[0].name)
print(len(hub.list_repo_commits("me/model", revision="v1")))
try:
    hub.create_commit("me/model", [Add("x", b"3")], commit_message="Late", parent_commit="0" * 40)
except errors.HfHubHTTPError as error:
    print(error.response.status_code)
"""
    assert client(script).splitlines() == [
        f"1 refs/pr/1 {hub.url}/me/model/discussions/1", "[(1, 'More', 'open', True)]", "False True", "['new.onnx', 'a']",
        "['v1'] 1", "2", "412",
    ]  # fmt: skip
    hub.repos["me/model"].merge(1)
    assert hub.repos["me/model"].files()["new.onnx"] == b"2"


def test_an_upload_goes_on_after_dropped_connections_and_refusals(client: Client, hub: Hub, files: Path) -> None:
    hub.drop("^PUT /upload", after=40_000)
    hub.refuse("/preupload/", 503)
    hub.refuse("/objects/batch", 429)
    client(UPLOAD)
    assert hub.repos["me/model"].files() == FILES
    assert all(fault.times == 0 for fault in hub.faults)


def test_a_download_goes_on_where_the_connection_was_dropped(client: Client, hub: Hub, files: Path) -> None:
    client(UPLOAD)
    hub.drop("^GET /stored/", after=50_000)
    found = client("print(hf_hub_download('me/model', 'model.safetensors'))").strip()
    assert Path(found).read_bytes() == WEIGHTS
    assert len(hub.asked_for("^GET /stored/")) == 2


def test_a_large_file_is_named_by_the_hub_and_kept_elsewhere_and_parts_of_it_can_be_had(hub: Hub, files: Path) -> None:
    hub.repos["me/model"] = Repo()
    commit = hub.repos["me/model"].push(files)
    with httpx2.Client(trust_env=False) as web:
        head = web.head(f"{hub.url}/me/model/resolve/main/model.safetensors")
        digest = sha256(WEIGHTS).hexdigest()
        assert head.status_code == 302 and head.headers["Location"].startswith(hub.far)
        assert head.headers["X-Linked-Etag"] == f'"{digest}"' and head.headers["X-Linked-Size"] == str(len(WEIGHTS))
        assert head.headers["X-Repo-Commit"] == commit
        part = web.get(head.headers["Location"], headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, WEIGHTS[100:200])
        assert part.headers["Content-Range"] == f"bytes 100-199/{len(WEIGHTS)}"
        beyond = web.get(head.headers["Location"], headers={"Range": f"bytes={len(WEIGHTS)}-"})
        assert beyond.status_code == 416
        small = web.get(f"{hub.url}/me/model/resolve/{commit}/a%2Fb%20c/d.json")
        git = sha1(b"blob 2\0{}").hexdigest()
        assert (small.status_code, small.content, small.headers["ETag"]) == (200, b"{}", f'"{git}"')


def test_what_the_server_does_not_know_it_says_so(client: Client, hub: Hub, files: Path) -> None:
    client(UPLOAD)
    script = """
try:
    hub.super_squash_history("me/model")
except errors.HfHubHTTPError as error:
    print(error.response.status_code, error.server_message)
"""
    assert client(script).startswith("501 POST /api/models/me/model/super-squash/main is not known here")
    assert hub.unknown == ["POST /api/models/me/model/super-squash/main"]
    hub.unknown.clear()


def test_a_card_with_wrong_metadata_is_refused_before_anything_is_sent(client: Client, hub: Hub, files: Path) -> None:
    (files / "README.md").write_text("---\nlicense: my own\n---\n")
    script = UPLOAD.replace("made =", "try:\n    made =").replace(
        "print(made.oid, made.commit_url)", "except ValueError as e:\n    print(e)"
    )
    assert '"license" must be one of [' in client(script)
    assert hub.repos["me/model"].files() == {}
