"""Two photos side by side: every factor of both, on one scale."""

import re

from app.session.session import open_example
from app.tabs.compare_photos import HINT, ComparePhotos
from app.widgets.photo_pair import photo_pair


def test_both_photos_have_every_factor_on_the_same_scale():
    first, second = open_example(0), open_example(1)
    rows = {}
    for one, other in ((first, second), (first, first)):
        for name, left, right in re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td><td>(.*?)</td></tr>",
                                            photo_pair(one, other)):
            rows.setdefault(name, []).append((left, right))
    assert list(rows) == ["Photo", "Albedo", "Depth, near is bright", "Normals", "Shading", "Light", "Reconstruction",
                          "Numbers"]
    for (left, right), (same, again) in rows.values():
        assert left != right and same == again


def test_a_pane_that_was_not_opened_computes_nothing_and_asks_for_the_other_photo():
    session = open_example(0)
    assert ComparePhotos.show(None, True, session, None) == HINT
    assert "<table>" not in str(ComparePhotos.show(None, False, session, session))
