"""The built site in a real browser: pages, formulas, search, gallery, a phone's width.

``make docs`` builds the site and runs these; without a site or a browser they are skipped.
"""

import functools
import http.server
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html"))
PAGES = [page for page in PAGES if not page.startswith("_")]
PHONE = {"width": 390, "height": 844}

pytestmark = pytest.mark.skipif(not PAGES, reason="the site is not built: make docs")


@pytest.fixture(scope="module")
def address():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Nothing on the terminal."""

    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        # as root, as in containers, Chromium's sandbox is not to be had
        program = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.problems = []
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    # what the next page interrupts is no failure
    page.on(
        "requestfailed",
        lambda request: None if "ABORTED" in request.failure else page.problems.append(request.url),
    )
    yield page
    page.close()


def test_each_page_loads_without_an_error(page, address):
    for name in PAGES:
        assert page.goto(address + name).ok, name
        assert page.locator("h1").count() >= 1, name
        assert not page.problems, (name, page.problems)


def test_formulas_are_set(page, address):
    page.goto(address + "mathematics.html")
    page.wait_for_selector("mjx-container")
    assert page.locator("mjx-container[display=true]").count() >= 13
    assert page.locator("mjx-merror").count() == 0
    assert (
        "M13" in "".join(page.locator("mjx-labels").all_inner_texts())
        or page.locator("[id='mjx-eqn:M13']").count()
    )


def test_search_finds_a_parameter(page, address):
    page.goto(address + "search.html?q=focal_alpha")
    page.wait_for_selector("ul.search li")
    found = page.locator("ul.search li").all_inner_texts()
    assert any("Choosing gamma and alpha" in each for each in found)
    assert any("FocalLGBMClassifier" in each for each in found)
    assert not page.problems


def test_thumbnails_of_the_gallery_show(page, address):
    page.goto(address + "auto_examples/index.html")
    images = page.locator(".sphx-glr-thumbcontainer img")
    examples = Path(__file__).parents[2].glob("examples/plot_*.py")
    assert images.count() == len(list(examples))
    sizes = images.evaluate_all(
        "images => Promise.all(images.map(i => (i.loading = 'eager', i.decode())"
        ".then(() => i.naturalWidth)))"
    )
    assert min(sizes) >= 100
    assert not page.locator(".sphx-glr-thumbcontainer img[src*=no_image]").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_a_page(browser, address, scheme):
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    for name in PAGES:
        page.goto(address + name)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], name
    context.close()


def _targets(name):
    text = (SITE / name).read_text()
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        if not urlparse(link).scheme and not link.startswith("//"):
            yield link


def test_internal_links_lead_somewhere():
    ids = {}
    missing = []
    for name in PAGES:
        for link in _targets(name):
            path, fragment = urldefrag(urljoin(f"/{name}", link.replace("&amp;", "&")))
            target = SITE / unquote(urlparse(path).path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                missing.append((name, link))
            elif fragment and target.suffix == ".html":
                if target not in ids:
                    ids[target] = set(re.findall(r'\bid="([^"]+)"', target.read_text()))
                if unquote(fragment) not in ids[target]:
                    missing.append((name, link))
    assert not missing


# Texts that reach beyond their box or the right edge of the window, but for the mark of a link.
CUT = """
selector => [...document.querySelectorAll(selector)]
    .filter(e => e.offsetParent !== null && e.innerText.trim())
    .filter(e => {
        const walker = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
        const edge = Math.min(window.innerWidth, e.getBoundingClientRect().right) + 1;
        while (walker.nextNode()) {
            if (walker.currentNode.parentElement.closest(".headerlink")) continue;
            const range = document.createRange();
            range.selectNodeContents(walker.currentNode);
            if ([...range.getClientRects()].some(r => r.right > edge)) return true;
        }
        return false;
    })
    .map(e => e.innerText.slice(0, 80))
"""


@pytest.mark.parametrize("width", [390, 1400])
def test_no_heading_is_cut(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name in PAGES:
        page.goto(address + name)
        assert page.evaluate(CUT, "h1, h2, h3, dt.sig") == [], name
    page.close()


def test_code_shows_its_right_end_on_a_desktop(browser, address):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    for name in PAGES:
        page.goto(address + name)
        hidden = page.evaluate(
            "[...document.querySelectorAll('div.highlight-python pre, div.highlight-default pre')]"
            ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 80))"
        )
        assert hidden == [], name
    page.close()


@pytest.mark.parametrize("name", ["index", "getting_started", "report", "guide/focal_loss"])
def test_pages_have_their_figures(page, address, name):
    page.goto(address + name + ".html")
    sizes = page.locator("article img").evaluate_all("images => images.map(i => i.naturalWidth)")
    assert max(sizes, default=0) >= 300


@pytest.mark.parametrize(
    "words, title",
    [
        ("drift", "Time, drift and monitoring"),
        ("alert budget", "Alerts, costs and thresholds"),
        ("cost per transaction", "Alerts, costs and thresholds"),
        ("undersampling", "Migrating"),
    ],
)
def test_search_finds_what_users_ask_for(page, address, words, title):
    page.goto(address + f"search.html?q={words}")
    page.wait_for_selector("ul.search li")
    page.wait_for_function(
        "!document.querySelector('#search-progress')?.innerText.includes('Searching')"
    )
    assert any(title in each for each in page.locator("ul.search li").all_inner_texts())
