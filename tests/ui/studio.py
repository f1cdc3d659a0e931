"""What tests do on the Studio tab."""

LIVE = "#render .live"


def unfold(page, *names: str) -> None:
    """Open sections of controls."""
    for name in names:
        button = page.locator(f"#{name}-header .fold")
        if button.get_attribute("aria-expanded") != "true":
            button.click()


def slider(page, name: str):
    """The slider of a named edit."""
    return page.locator(f'.sliders label[data-name="{name}"] input')


def url_has(page, *words: str) -> None:
    """Wait until the URL holds these words."""
    page.wait_for_function("words => words.every((word) => decodeURIComponent(location.search).includes(word))",
                           arg=words)
