"""Structures of tensors behave like lists: length, iteration, indexing, concatenation, comparison, pickling."""

import pickle

import numpy as np
import pytest
import torch

from core.types import CodePair, ExpressionWeights, Light, TexturedFace, View


@pytest.fixture
def views():
    return View(torch.arange(9.0).view(3, 3), torch.arange(6.0).view(3, 2))


def test_iteration_gives_each_entry_once(views):
    assert len(views) == 3
    assert [view.rotation.tolist() for view in views] == [[[0, 1, 2]], [[3, 4, 5]], [[6, 7, 8]]]


@pytest.mark.parametrize("index", [1, -2, np.int64(1), np.array(1)])
def test_an_integer_of_any_kind_keeps_a_batch_of_one(views, index):
    assert views[index].rotation.tolist() == [[3, 4, 5]]


def test_selections_by_slice_list_and_mask(views):
    mask = torch.tensor([False, True, True])
    assert views[1:] == views[[1, 2]] == views[mask] and len(views[1:]) == 2


@pytest.mark.parametrize("index", [3, -4, 10])
def test_an_index_out_of_range_is_an_error(views, index):
    with pytest.raises(IndexError):
        views[index]


def test_equality_compares_values():
    light = Light.of(0.5, 0.5, 0, 0)
    assert light == Light.of(0.5, 0.5, 0, 0)
    assert light != Light.of(0.5, 0.4, 0, 0) and light != Light.cat([light, light]) and light != "light"


def test_concatenation_keeps_order_and_drops_what_is_not_known_of_all(views):
    assert View.cat([views[:2], views[2]]) == views
    assert [View.cat(list(views)[::-1])[k] == views[2 - k] for k in range(3)] == [True] * 3


def test_names_survive_indexing_and_concatenation():
    weights = ExpressionWeights(torch.tensor([[0.0, 1.0], [0.5, 0.25]]), ("smile", "blink"))
    assert weights[1].named() == {"smile": 0.5, "blink": 0.25}
    assert ExpressionWeights.cat([weights, weights]).named(3) == {"smile": 0.5, "blink": 0.25}


def test_numbers_are_float32_whatever_the_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        light, view = Light.of(0.5, 0.25, 1, 2), View.of(0.1)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {tensor.dtype for part in (light, view) for tensor in part.tensors()} == {torch.float32}


def test_what_is_cached_is_not_pickled(textured_face):
    textured_face.reduced("texture", 2)
    read = pickle.loads(pickle.dumps(textured_face))
    assert read == textured_face and "_reduced" not in vars(read)


@pytest.fixture
def textured_face():
    pair = CodePair(torch.zeros(1, 4), torch.zeros(1, 4))
    maps = torch.rand(1, 3, 8, 8)
    return TexturedFace(pair, maps, maps[:, :1], maps[:, :1], maps[:, 0], maps.movedim(1, -1), maps, maps,  # type: ignore
                        torch.ones(1))


def test_reduced_maps_average(textured_face):
    small = textured_face.reduced("texture", 2)
    torch.testing.assert_close(small[0, :, 0, 0], textured_face.texture[0, :, :4, :4].mean((1, 2)))
    assert textured_face.reduced("background", 16) is textured_face.background
