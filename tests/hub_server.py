"""A small Hugging Face Hub on this machine: the HTTP protocol of its library, for models, without its website."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_local"
"""Of the only user, "somebody"."""
LARGE = (".safetensors",)
"""Endings of files that are kept in large file storage (LFS)."""


@dataclass
class Hub:
    """What the server holds and was asked."""

    url: str = ""
    storage: str = ""
    """Where large files are kept: another host, as on the real Hub, to which the library does not follow itself."""
    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    """Files of each commit of each repository."""
    branches: dict[str, dict[str, str]] = field(default_factory=dict)
    """Commit of each branch of each repository."""
    stored: dict[str, bytes] = field(default_factory=dict)
    """Large files by SHA-256."""
    requests: list[str] = field(default_factory=list)
    """Method and path of every request, in order."""

    def commit(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Add files to a branch; returns the new commit."""
        before = self.commits.setdefault(repo, {}).get(self.branches.get(repo, {}).get(branch, ""), {})
        content = repr(sorted((before | files).items())).encode()
        commit = hashlib.sha1(content + str(len(self.commits[repo])).encode()).hexdigest()
        self.commits[repo][commit] = before | files
        self.branches.setdefault(repo, {})[branch] = commit
        return commit

    def resolve(self, repo: str, revision: str) -> str | None:
        """The commit that a revision names; None where there is none."""
        revision = self.branches[repo].get(revision, revision)
        return revision if revision in self.commits[repo] else None


@contextlib.contextmanager
def local_hub() -> Iterator[Hub]:
    """A Hub that runs until the block ends; `url` is its HF_ENDPOINT."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url, hub.storage = (f"http://{host}:{server.server_port}" for host in ("127.0.0.1", "localhost"))
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    ROUTES = [
        ("POST", r"/api/validate-yaml", "validate"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/models/(?P<repo>[^/]+/[^/]+)/branch/(?P<revision>.+)", "branch"),
        ("POST", r"/api/models/(?P<repo>[^/]+/[^/]+)/preupload/(?P<revision>.+)", "preupload"),
        ("POST", r"/api/models/(?P<repo>[^/]+/[^/]+)/commit/(?P<revision>.+)", "add_commit"),
        ("GET", r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>.+)", "tree"),
        ("GET", r"/api/models/(?P<repo>[^/]+/[^/]+)(/revision/(?P<revision>.+))?", "info"),
        ("POST", r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
        ("PUT", r"/storage/(?P<oid>\w+)", "store"),
        ("GET", r"/storage/(?P<oid>\w+)", "fetch"),
        ("GET", r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)", "file"),
    ]

    def answer(self) -> None:
        """Find the route of a request, and answer it."""
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {path}")
        self.content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.content = b"".join(self._chunks())
        for method, pattern, name in self.ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == ("GET" if self.command == "HEAD" else self.command):
                given = {key: unquote(value) for key, value in found.groupdict().items() if value}
                if given.get("repo", "") not in {"", *self.hub.branches}:
                    return self.reply(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                if method != "GET" and self.headers.get("Authorization") != f"Bearer {TOKEN}" and name != "store":
                    return self.reply(401, {"error": "Invalid username or password."})
                return getattr(self, name)(**given)
        self.reply(404, {"error": f"no such endpoint: {path}"})

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def reply(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        """Send bytes, or anything else as JSON; no body for HEAD."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

    def validate(self) -> None:
        self.reply(200, {"errors": [], "warnings": []})

    def create(self) -> None:
        wanted = json.loads(self.content)
        repo = f"{wanted.get('organization') or 'somebody'}/{wanted['name']}"
        known = repo in self.hub.branches
        if not known:
            self.hub.commit(repo, {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
        self.reply(409 if known else 200, {"url": f"{self.hub.url}/{repo}", "name": repo, "id": repo})

    def branch(self, repo: str, revision: str) -> None:
        known = revision in self.hub.branches[repo]
        self.hub.branches[repo].setdefault(revision, self.hub.branches[repo]["main"])
        self.reply(409 if known else 200, {})

    def info(self, repo: str, revision: str = "main") -> None:
        commit = self.hub.resolve(repo, revision)
        if commit is None:
            return self.reply(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        names = [{"rfilename": name} for name in sorted(self.hub.commits[repo][commit])]
        self.reply(200, {"id": repo, "modelId": repo, "sha": commit, "private": False, "tags": [], "downloads": 0,
                         "likes": 0, "siblings": names})

    def tree(self, repo: str, revision: str) -> None:
        commit = self.hub.resolve(repo, revision)
        entries = []
        for name, content in sorted(self.hub.commits[repo][commit or ""].items()):
            entry = {"type": "file", "path": name, "size": len(content), "oid": _git_oid(content)}
            if name.endswith(LARGE):
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            entries.append(entry)
        self.reply(200, entries)

    def file(self, repo: str, revision: str, name: str) -> None:
        commit = self.hub.resolve(repo, revision)
        content = self.hub.commits[repo].get(commit or "", {}).get(name)
        if content is None:
            return self.reply(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        headers = {"X-Repo-Commit": commit or "", "ETag": f'"{_git_oid(content)}"'}
        if not name.endswith(LARGE):
            return self.reply(200, content, headers)
        oid = hashlib.sha256(content).hexdigest()
        self.hub.stored.setdefault(oid, content)
        self.reply(302, b"", headers | {"X-Linked-ETag": f'"{oid}"', "X-Linked-Size": str(len(content)),
                                        "Location": f"{self.hub.storage}/storage/{oid}"})

    def preupload(self, repo: str, revision: str) -> None:
        names = [file["path"] for file in json.loads(self.content)["files"]]
        self.reply(200, {"files": [{"path": name, "uploadMode": "lfs" if name.endswith(LARGE) else "regular",
                                    "shouldIgnore": False} for name in names]})

    def batch(self, repo: str) -> None:
        objects = [{**one, "actions": {"upload": {"href": f"{self.hub.storage}/storage/{one['oid']}"}}}
                   for one in json.loads(self.content)["objects"]]
        self.reply(200, {"transfer": "basic", "objects": objects})

    def store(self, oid: str) -> None:
        intact = hashlib.sha256(self.content).hexdigest() == oid
        if intact:
            self.hub.stored[oid] = self.content
        self.reply(200 if intact else 400, {})

    def fetch(self, oid: str) -> None:
        self.reply(200, self.hub.stored[oid])

    def add_commit(self, repo: str, revision: str) -> None:
        lines = [json.loads(line) for line in self.content.splitlines()]
        files = {one["value"]["path"]: base64.b64decode(one["value"]["content"])
                 for one in lines if one["key"] == "file"}
        files |= {one["value"]["path"]: self.hub.stored[one["value"]["oid"]]
                  for one in lines if one["key"] == "lfsFile"}
        commit = self.hub.commit(repo, files, revision)
        self.reply(200, {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/{repo}/commit/{commit}",
                         "hookOutput": ""})


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
