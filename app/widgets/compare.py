"""Two images of one place, with a wipe between them."""

COMPARE = """<div class="compare"><img class="over" alt=""><img class="under" alt="">
<input type="range" min="0" max="100" value="0" aria-label="Wipe between the two images"></div>"""
"""HTML of the two images, to be filled by a script."""
