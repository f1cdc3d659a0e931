"""Behind a proxy that serves the app below a path, everything works, and nothing is asked for outside the path."""

import json
import threading
import time

import httpx
import pytest
import uvicorn
from gradio_client import Client, handle_file
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from benchmarks.visitors import free_port, running_app
from tests.ui.conftest import EXAMPLES
from tests.ui.images import changed, source

pytestmark = pytest.mark.timeout(300)
PATH = "/face"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


def proxy(target: str) -> Starlette:
    """A proxy that serves another server below `PATH`, and hands the host's name on, as nginx is told to for gradio."""
    client = httpx.AsyncClient(base_url=target, timeout=None, trust_env=False)

    async def forward(request: Request) -> StreamingResponse:
        sent = client.build_request(request.method, request.url.path.removeprefix(PATH), params=request.query_params,
                                    headers=request.headers.raw, content=await request.body())
        answer = await client.send(sent, stream=True)
        kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose))

    return Starlette(routes=[Route(PATH + "/{rest:path}", forward, methods=["GET", "HEAD", "POST"])])


@pytest.fixture(scope="module")
def proxied_url(tmp_path_factory):
    """Address of the app behind the proxy."""
    with running_app(tmp_path_factory.mktemp("app") / "log.txt", GRADIO_ROOT_PATH=PATH) as app:
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(proxy(app.url), port=port, log_level="error",
                                               timeout_graceful_shutdown=1))
        serving = threading.Thread(target=server.run)
        serving.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}{PATH}"
        server.should_exit = server.force_exit = True  # streams to a page are open for ever
        serving.join()
    assert "Traceback" not in app.log.read_text()


def test_images_exports_and_the_map_work_on_the_page(open_page, proxied_url):
    with open_page(url=proxied_url) as page:
        albedo = source(page, "#equation .albedo img")
        page.locator("#photo-input input[type=file]").set_input_files(EXAMPLES / "045_neutral.jpg")
        changed(page, "#equation .albedo img", albedo)
        for kind, beginning in (("codes-json", b"{"), ("glb", b"glTF")):
            page.locator("#export details").evaluate("menu => { menu.open = true; }")
            with page.expect_download() as download:
                page.locator(f'#export [data-kind="{kind}"]').click()
            assert download.value.path().read_bytes().startswith(beginning)
        page.get_by_role("tab", name="Latent map").click()
        page.wait_for_selector("#map .plot[data-ready]")
        page.locator("#map .stop").first.press("ArrowDown")
        page.keyboard.press("Space")
        page.get_by_text("Export 1 face").wait_for()
        with page.expect_download() as download:
            page.get_by_text("Export 1 face").click()
        assert download.value.path().stat().st_size > 100
        page.get_by_role("tab", name="API").click()
        page.get_by_text("A call has three steps").wait_for()


def test_programs_use_the_endpoints_and_their_description(proxied_url):
    assert "/render" in httpx.get(f"{proxied_url}/gradio_api/info", trust_env=False).json()["named_endpoints"]
    client = Client(proxied_url, verbose=False)
    path = client.predict(handle_file(EXAMPLES / "045_neutral.jpg"), kind="codes-json", api_name="/export")
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["synthetic"] is True
