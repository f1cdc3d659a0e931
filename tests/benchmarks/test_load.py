"""What the soak test compares between visitors."""

import json
from dataclasses import replace

import pytest
from gradio.blocks import postprocess_update_dict

from app.session.session import Session, open_example
from app.widgets.equation import equation, show_equation
from app.widgets.readout import readout, warnings
from benchmarks.load import shown_face
from core import Light


def shown(session: Session) -> list:
    """A visitor's answer of `show_factors`, reduced to the face."""
    update = postprocess_update_dict(equation(), show_equation(session))
    sent = json.dumps([update, readout(session), session.refined, warnings(session), {"face": str(id(session))}],
                      default=repr)
    return shown_face(json.loads(sent))


@pytest.fixture(scope="module")
def session() -> Session:
    return open_example(0)


def test_visitors_of_one_photo_are_shown_the_same(session):
    assert shown(session) == shown(replace(session))


def test_another_visitors_values_differ(session):
    factors, other = session.factors, open_example(1).factors
    for changes in ({"analyzed": other}, {"analyzed": replace(factors, canon_depth=other.canon_depth)},
                    {"analyzed": replace(factors, light=Light.of(0.5, 0.5, 0.4, 0))}, {"refined": True}):
        assert shown(replace(session, **changes)) != shown(session), changes.keys()
