"""Two photos side by side: every factor of both, on one scale."""

import re

from app.session.session import open_example
from app.tabs.compare_photos import ComparePhotos
from app.widgets.photo_pair import photo_pair


def test_both_photos_have_every_factor_on_the_same_scale():
    first, second = open_example(0), open_example(1)
    pair, same = ([re.findall(r"<t[hd]>(.*?)</t[hd]>", line) for line in photo_pair(first, other).split("<tr>")[1:]]
                  for other in (second, first))
    assert pair[0] == ["Photo", "Albedo", "Depth", "Normals", "Shading", "Light", "Reconstruction", "Numbers"]
    assert all(one != other for one, other in zip(*pair[1:], strict=True)) and same[1] == same[2]


def test_nothing_is_computed_before_another_photo_is_chosen():
    assert "<table>" not in str(ComparePhotos.show(None, open_example(0), None))
