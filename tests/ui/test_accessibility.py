"""Contrast (WCAG 2.1 AA), keyboard access, accessible names and layout shift of every tab."""

import pytest

pytestmark = pytest.mark.timeout(300)
TABS = {"Studio": "#render .live[src*=jpeg]", "3-D": "#head-viewer canvas[data-shown]",
        "Interpolation": "#swap-interpolation .steps img", "Grid": "#swap-faces img",
        "Denoising": "#swap-uncertainty img", "Equation": "#readout dl", "Latent map": "#map .plot[data-ready]",
        "API": "#api-text", "About": "#about-text"}
"""Name of each tab and pane, and a selector that exists once it is drawn."""
FAINT = """() => {
  const pen = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d',
    {willReadFrequently: true});
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3]));
  const luminance = (rgb) => rgb.map((value) => value / 255).map((value) =>
    value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, k) => sum + value * [0.2126, 0.7152, 0.0722][k], 0);
  const faint = [], words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const text = words.currentNode.data.trim(), element = words.currentNode.parentElement;
    if (!text || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    // Text over images has a dark edge; disabled elements are exempt.
    if (parseFloat(style.fontSize) === 0 || style.textShadow !== 'none' || box.width < 2 || box.height < 2
        || element.closest(':disabled, .sr-only')) continue;
    const grounds = [];
    for (let one = element; one; one = one.parentElement) grounds.push(rgba(getComputedStyle(one).backgroundColor));
    const ground = grounds.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
    const [low, high] = [luminance(over(rgba(style.color), ground)), luminance(ground)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    if (contrast < (large ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  return faint;
}"""
UNREACHABLE = """() => [...document.querySelectorAll('button, a[href], input, select, summary, textarea, [role=tab]')]
  .filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex < 0 && !one.closest('[aria-hidden=true]')
    && one.getBoundingClientRect().width > 1 && one.getAttribute('role') !== 'tab')
  .map((one) => one.outerHTML.slice(0, 120))"""
NAMELESS = """() => [...document.querySelectorAll('button, input:not([type=file]), select, [role=application]')]
  .filter((one) => one.checkVisibility() && !(one.innerText?.trim() || one.ariaLabel || one.title || one.labels?.length
    || one.querySelector('img[alt]:not([alt=""])')))
  .map((one) => one.outerHTML.slice(0, 120))"""
WATCH = """() => { window.jumps = 0; new PerformanceObserver((list) => list.getEntries().forEach(
  (one) => { if (!one.hadRecentInput) window.jumps += one.value; })).observe({type: 'layout-shift'}); }"""
JUMP = 0.1
"""Largest layout shift allowed."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_tab_is_legible_reachable_and_stable(open_page, theme):
    with open_page(theme=theme) as page:
        found = {}
        page.evaluate(WATCH)
        for name, drawn in TABS.items():
            jumps = page.evaluate("window.jumps")
            page.get_by_role("tab", name=name).first.click()
            page.wait_for_selector(drawn)
            if (jump := page.evaluate("window.jumps") - jumps) > JUMP:
                found[name, "jumps"] = jump
            page.locator("#export summary").click()
            for kind, script in (("faint", FAINT), ("unreachable", UNREACHABLE), ("nameless", NAMELESS)):
                if some := page.evaluate(script):
                    found[name, kind] = sorted(set(some))
            page.locator("#export summary").click()
        assert not found
