"""The public interface, on the bundled weights and the bundled photos, and on small random weights."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import core
from core.config import DiffusionConfig, ModelConfig
from core.errors import ArgumentInvalid, WeightsDamaged, WeightsMismatch, WeightsMissing
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.expression_basis import EXPRESSION_NAMES
from core.model.fine import enlarge
from core.model.weights import BUNDLED, autoencoder_fingerprint, diffusion_path, load_weights, save_weights
from core.pipeline import LatentFace
from core.types import Codes, Factors, Light, View


@pytest.fixture(scope="module")
def faces(model, request):
    """A neutral face and a smiling one."""
    folder = request.config.rootpath / "assets/examples"
    return [model.find_faces(folder / name)[0] for name in ("045_neutral.jpg", "061_smiling.jpg")]


@pytest.fixture(scope="module")
def factors(model, faces):
    return model.analyze(faces)


@pytest.fixture(scope="module")
def textured(model, factors, faces):
    return model.texture(factors, faces)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small random weights of both stages that belong together."""
    torch.manual_seed(0)
    folder, config = tmp_path_factory.mktemp("weights"), ModelConfig(image_size=32, width=8, pose_width=8)
    state, path = Autoencoder(config).state_dict(), folder / "autoencoder.safetensors"
    save_weights(path, state, config, {})
    small = DiffusionConfig(width=32, blocks=1, image_size=32)
    diffusion = Diffusion(small)
    basis = diffusion.expression_basis
    for number, table in enumerate((basis.regressor, basis.directions, basis.displacement)):
        table.normal_(generator=torch.Generator().manual_seed(number)).mul_(0.01)
    save_weights(diffusion_path(path), diffusion.state_dict(), small, {"autoencoder": autoencoder_fingerprint(state)})
    return folder


@pytest.fixture(scope="module")
def small(folder):
    return LatentFace.from_pretrained(folder / "autoencoder.safetensors")


def small_images(count=2):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def assert_close(one, other, **tolerance):
    for mine, theirs in zip(one.tensors(), other.tensors(), strict=True):
        torch.testing.assert_close(mine, theirs, **tolerance)


# --- From a photo to factors ------------------------------------------------------------------------------------------


def test_the_package_exports_the_public_names():
    assert core.LatentFace is LatentFace and core.View is View
    with pytest.raises(AttributeError, match="nothing"):
        _ = core.nothing


def test_analyze_explains_a_photo(model, faces, factors):
    size = model.config.image_size
    assert faces[0].image.shape == (3, size, size)
    mask = factors.recon_mask
    error = ((factors.recon_image - factors.image).abs() * mask).sum() / mask.sum() / 3
    assert error < 0.08
    # A studio portrait is frontal, and its nose is nearer than its cheeks.
    assert factors.view.rotation.abs().max() < 0.25
    middle, cheek = size // 2, size // 5
    assert factors.canon_depth[0, middle, middle] < factors.canon_depth[0, middle, cheek] - 0.01


def test_factors_carry_the_photos_detail_and_what_the_codes_alone_give(model, faces, factors):
    coarse, size = model.analyze(faces, fine=False), model.fine.config.image_size
    assert coarse.coarse is None and factors.of_codes == coarse and coarse.of_codes is coarse
    assert factors.canon_depth.shape == (2, size, size) and factors.codes == coarse.codes

    def error(found):
        return (found.recon_image - found.image).abs().mul(found.recon_mask).sum() / found.recon_mask.sum() / 3

    assert error(factors) < 0.6 * error(coarse)
    assert (factors.canon_depth - enlarge(coarse.canon_depth, size)).abs().max() < model.fine.config.depth_range


def test_images_at_the_fine_stages_size_have_detail_and_smaller_ones_have_none(model, faces):
    size = model.fine.config.image_size
    images = torch.nn.functional.interpolate(torch.stack([face.full for face in faces]), (size, size), mode="area")
    assert model.analyze(images).canon_albedo.shape[-1] == size
    assert model.analyze(images, fine=False) == model.analyze(torch.nn.functional.avg_pool2d(images, 2))
    with pytest.raises(ArgumentInvalid, match="128"):
        model.analyze(torch.rand(1, 3, 96, 96))


def test_detail_stays_with_a_face_that_is_reenacted(model, factors, faces, textured):
    still = model.reenact(textured[0], textured[1], 0.0).factors
    assert (still.canon_albedo - factors[0].canon_albedo).abs().mean() < 2e-3
    assert (still.canon_depth - factors[0].canon_depth).abs().max() < 1e-4
    smiling = model.reenact(textured[0], textured[1]).factors
    assert smiling.coarse is not None and not torch.equal(smiling.canon_albedo, still.canon_albedo)


def test_batches_of_any_length_agree(model, faces):
    images = faces[0].image.expand(40, -1, -1, -1) * torch.linspace(0.5, 1, 40)[:, None, None, None]
    together = model.analyze(images)
    assert torch.allclose(together.canon_depth[[0, 39]], model.analyze(images[[0, 39]]).canon_depth, atol=1e-4)
    assert torch.allclose(model.encode(images).depth_code, together.codes.depth_code, atol=1e-3)


def test_factors_are_small_plain_tensors(model, factors):
    data = pickle.dumps(factors[:1])
    assert len(data) < 2e6 and pickle.loads(data) == factors[:1]
    assert [one == factors[k] for k, one in enumerate(factors)] == [True, True]
    assert Factors.cat(list(factors)) == factors


def test_autograd_accepts_results(model, factors):
    light = torch.tensor([0.5], requires_grad=True)
    image = factors[0].canon_albedo * light
    image.sum().backward()
    assert light.grad > 0


def test_default_dtype_and_autocast_around_a_call_do_not_matter(folder, small):
    images = small_images()
    wanted, rendered = small.analyze(images), small.render(small.analyze(images), size=32)
    torch.set_default_dtype(torch.float64)
    try:
        again = LatentFace.from_pretrained(folder / "autoencoder.safetensors")
        assert again.analyze(images) == wanted and torch.equal(again.render(again.analyze(images), size=32), rendered)
        assert again.split(wanted.codes) == small.split(wanted.codes)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert small.analyze(images) == wanted and torch.equal(small.render(wanted, size=32), rendered)


# --- Codes ------------------------------------------------------------------------------------------------------------


def test_identity_and_expression_add_up_to_the_code(small):
    codes = small.encode(small_images())
    parts = small.split(codes)
    assert_close(parts.codes, codes)
    assert parts == small.split(codes) and parts != small.split(codes, seed=7)


def test_split_reports_every_denoising_step(small):
    steps, codes = [], small.encode(small_images())
    parts = small.split(codes, callback=lambda step, identity: steps.append((step, identity)))
    assert [step for step, _ in steps] == [1, 2, 3, 4, 5] and steps[-1][1] == parts.identity


def test_samples_of_the_identity_differ_and_their_spread_is_the_uncertainty(small):
    faces = small.analyze(small_images())
    samples = small.sample_identities(faces.codes, 16)
    assert samples.depth.shape == (16, 2, 256)
    found = small.uncertainty(faces)
    decoded = small.decode(Codes(samples.depth[:, 1], samples.albedo[:, 1]), faces[1])
    torch.testing.assert_close(found.depth[1], decoded.canon_depth.std(0))
    torch.testing.assert_close(found.mean_image[1], decoded.canon_image.mean(0))
    assert found.albedo.shape == (2, 32, 32)


def test_swap_keeps_place_and_identity_where_nothing_changes(small):
    faces = small.analyze(small_images(3))
    swapped = small.swap(faces[0], faces)
    assert swapped.recon_image.shape == (3, 3, 32, 32)
    assert torch.equal(swapped.view.rotation, faces[0].view.rotation.expand(3, -1))
    torch.testing.assert_close(swapped[0].canon_depth, faces[0].canon_depth)
    basis = small.diffusion.expression_basis
    change = basis.code_change(basis.predict(faces[1].codes.pair - faces[0].codes.pair))
    assert_close(swapped[1].codes.pair, faces[0].codes.pair + change)


def test_interpolation_starts_at_one_face_and_ends_at_the_other(small):
    a, b = small.analyze(small_images())
    assert_close(small.interpolate(a, b, 0.0).codes, a.codes)
    assert_close(small.interpolate(a, b, 1.0).codes, b.codes)
    assert_close(small.interpolate(a, b, 1.0, "expression").codes, small.swap(a, b).codes)
    identity = small.split(small.interpolate(a, b, 1.0, "identity").codes)
    assert_close(small.split(small.interpolate(a, b, 0.0, "identity").codes).identity, small.split(a.codes).identity)
    assert not torch.allclose(identity.identity.depth, small.split(a.codes).identity.depth)


def test_neutral_is_the_identity_alone(small):
    faces = small.analyze(small_images())
    assert_close(small.neutral(faces, seed=3).codes.pair, small.split(faces.codes, seed=3).identity)


def test_features_are_the_papers(small):
    images = small_images()
    codes = small.encode(images)
    parts = small.split(codes)
    wanted = torch.cat([parts.expression.depth, codes.depth_code, parts.expression.albedo, codes.albedo_code], 1)
    torch.testing.assert_close(small.features(images, "expression"), wanted)
    assert torch.equal(small.features(images, "identity")[:, :256], parts.identity.depth)
    assert torch.equal(small.features(images, "code"), torch.cat([codes.depth_code, codes.albedo_code], 1))


def test_the_decoded_image_of_codes_is_the_canonical_image(small):
    face = small.analyze(small_images(1))
    torch.testing.assert_close(small.decode_image(face.codes, face.light), face.canon_image.clamp(0, 1))


# --- Expressions ------------------------------------------------------------------------------------------------------


def smile(model, factors):
    """(B,) mean weight of the smile on both sides."""
    weights = model.expressions(factors)
    sides = [weights.names.index(name) for name in ("mouthSmile_L", "mouthSmile_R")]
    return weights.values[:, sides].mean(1)


def test_smiling_photos_have_larger_smile_weights(model, request):
    photos = sorted((request.config.rootpath / "assets/examples").glob("*.jpg"))
    found = smile(model, model.analyze([model.find_faces(photo)[0] for photo in photos]))
    smiling = torch.tensor([photo.stem.endswith("smiling") for photo in photos])
    assert model.expressions(model.analyze(torch.rand(2, 3, 64, 64))).values.shape == (2, 57)
    assert found[smiling].mean() > found[~smiling].mean() + 0.05


def changed(model, before, after, rows=slice(None)):
    """Mean change of a render by reenactment, within some of its rows."""
    return (model.render(after, size=128) - model.render(before, size=128)).abs()[..., rows, 32:96].mean().item()


MOUTH, EYES, BROW = slice(72, 100), slice(24, 36), slice(12, 24)


def test_reenactment_moves_the_mouth_more_than_the_brow(model, textured):
    smiling = model.reenact(textured[0], textured[1])
    assert changed(model, textured[0], smiling, MOUTH) > 1.5 * changed(model, textured[0], smiling, BROW) > 0
    assert smiling.view == textured[0].view and smiling.light == textured[0].light
    assert changed(model, textured[0], model.reenact(textured[0], textured[1], 0.0)) < 2e-3


def test_without_expression_a_smile_is_gone_and_a_neutral_face_stays(model, request, textured):
    def smile(image):
        found = model.find_faces((image[0].movedim(0, -1) * 255).byte().numpy())[0].blendshapes
        return (found["mouthSmileLeft"] + found["mouthSmileRight"]) / 2

    faces = model.find_faces(request.config.rootpath / "assets/examples/038_smiling.jpg")
    factors = model.analyze(faces)
    smiling, neutral = model.texture(factors, faces), textured[:1]
    assert model.expressions(factors).named(0)["mouthSmile_L"] > 0.4
    assert model.expressions(neutral.factors).named(0)["mouthSmile_L"] < 0.1
    before, after = (smile(model.render(face, size=512)) for face in (smiling, model.reenact(smiling, {})))
    assert before > 0.6 and after < 0.3
    assert changed(model, neutral, model.reenact(neutral, {})) < 0.01


def test_named_weights_are_absolute(model, factors, textured):
    """A face's own weights change nothing; {} is neutral, and named weights add to it."""
    face = textured[1]
    own = model.reenact(face, model.expressions(factors[1]).named())
    neutral, smiling = model.reenact(face, {}), model.reenact(face, {"mouthSmile_L": 1, "mouthSmile_R": 1})
    assert changed(model, face, own, BROW) < 2e-3 < 5e-3 < changed(model, face, neutral, MOUTH)
    assert changed(model, neutral, smiling, MOUTH) > 2 * changed(model, neutral, smiling, BROW)


@pytest.mark.parametrize("names, rows, still", [(("jawOpen",), MOUTH, BROW),
                                                (("eyeBlink_L", "eyeBlink_R"), EYES, MOUTH),
                                                (("browInnerUp_L", "browInnerUp_R"), BROW, MOUTH)])
def test_each_named_expression_acts_where_it_should(model, textured, names, rows, still):
    neutral = model.reenact(textured[0], {})
    after = model.reenact(textured[0], dict.fromkeys(names, 1.0))
    assert changed(model, neutral, after, rows) > 2 * changed(model, neutral, after, still)


def test_a_reenacted_face_can_be_reenacted_again(model, textured):
    once = model.reenact(textured[1], {})
    assert once.landmarks is not None
    twice = model.reenact(once, {"jawOpen": 1})
    assert changed(model, once, twice, MOUTH) > 2 * changed(model, once, twice, BROW)


# --- Rendering --------------------------------------------------------------------------------------------------------


def test_render_follows_view_and_light(model, faces, factors, textured):
    own = model.render(factors, size=96)
    assert own.shape == (2, 3, 96, 96) and own.min() >= 0 and own.max() <= 1
    turned = model.render(factors, view=View.of(yaw=0.5), size=96)
    assert (turned - own).abs().mean() > 0.01
    left, right = (model.render(factors[0], View.of(), Light.of(0.2, 0.8, dx, 0), 96)[0, :, 30:60] for dx in (2, -2))
    middle = slice(24, 72)
    assert left[..., 24:48].mean() > left[..., 48:72].mean() and right[..., 24:48].mean() < right[..., 48:72].mean()
    assert (left[..., middle] - right[..., middle]).abs().mean() > 0.02


def test_the_photos_detail_is_in_the_render_and_half_of_it_in_the_preview(model, faces, factors, textured):
    photo = torch.nn.functional.interpolate(faces[0].full[None], (256, 256), mode="area")
    detailed, decoded, half = (model.render(face[:1], size=256)
                               for face in (textured, model.texture(factors.of_codes), model.preview(textured)))
    errors = [(render - photo).abs()[..., 64:192, 64:192].mean() for render in (detailed, half, decoded)]
    assert errors[0] < 0.01 and errors[0] <= errors[1] < 0.02 < errors[2]
    assert model.preview(textured).texture.shape[-1] == textured.texture.shape[-1] // 2


def test_backgrounds_are_the_photos_a_color_or_none(model, textured):
    face = textured[0]
    colored = model.render(face, View.of(yaw=0.7), size=64, background=(1.0, 0.0, 0.5))
    torch.testing.assert_close(colored[0, :, 2, 2], torch.tensor([1.0, 0.0, 0.5]), atol=0.02, rtol=0)
    clear = model.render(face, View.of(yaw=0.7), size=64, background=None)
    assert clear.shape == (1, 4, 64, 64) and clear[0, 3, 2, 2] < 0.02 < 0.9 < clear[0, 3, 32, 32]


def test_one_view_serves_all_faces_and_many_views_one_face(model, factors):
    views = View.cat([View.of(yaw=0.2), View.of(yaw=-0.2)])
    assert model.render(factors[0], views, size=32).shape == (2, 3, 32, 32)
    torch.testing.assert_close(model.render(factors, View.of(yaw=0.2), size=32)[0],
                               model.render(factors[0], views, size=32)[0], atol=1e-4, rtol=1e-3)


def test_the_mesh_is_written_by_its_ending(model, textured, tmp_path):
    mesh = model.mesh(textured[0], texture_size=128)
    mesh.write(tmp_path / "face.glb")
    mesh.write(tmp_path / "face.zip")
    assert (tmp_path / "face.glb").read_bytes()[:4] == b"glTF" and (tmp_path / "face.zip").read_bytes()[:2] == b"PK"
    with pytest.raises(ArgumentInvalid, match="ending"):
        mesh.write(tmp_path / "face.stl")


# --- The argument gate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [
    torch.rand(3, 64, 64), torch.rand(1, 3, 60, 60), torch.rand(1, 3, 64, 64) * 255, torch.rand(0, 3, 64, 64),
    torch.full((1, 3, 64, 64), torch.nan), [], "photo.jpg", None, 3, ["photo.jpg"], np.zeros((2, 2), "U3")],
    ids=["no batch", "size", "range", "empty", "nan", "no faces", "path", "none", "number", "paths", "words"])
def test_wrong_images_are_refused(model, images):
    for call in (model.analyze, model.encode, lambda images: model.features(images, "code")):
        with pytest.raises(ArgumentInvalid, match="images|faces"):
            call(images)


def test_one_face_instead_of_a_list_is_refused(model, faces, factors):
    for call in (lambda: model.analyze(faces[0]), lambda: model.texture(factors[0], faces[0]),
                 lambda: model.texture(factors[0], faces)):
        with pytest.raises(ArgumentInvalid, match="list of|as many as"):
            call()


@pytest.mark.parametrize("call, named", [
    (lambda model, f: model.swap(f, f, depth=float("nan")), "depth"),
    (lambda model, f: model.swap(f, f, albedo=1.6), "albedo"),
    (lambda model, f: model.swap(f, f, depth=True), "depth"),
    (lambda model, f: model.swap(f[[0, 0, 0]], f), "equally many"),
    (lambda model, f: model.interpolate(f, f, 0.5, "bogus"), "what"),
    (lambda model, f: model.interpolate(f, f, 2), "t must"),
    (lambda model, f: model.split(f.codes, seed=-1), "seed"),
    (lambda model, f: model.split(f.codes, seed="1"), "seed"),
    (lambda model, f: model.render(f, size=4), "size"),
    (lambda model, f: model.render(f, size=31.5), "size"),
    (lambda model, f: model.render(f, background="sea"), "background"),
    (lambda model, f: model.features(small_images(), "bogus"), "kind"),
    (lambda model, f: model.reenact(model.texture(f), {"grin": 1}), "expression"),
    (lambda model, f: model.reenact(model.texture(f), {"jawOpen": "wide"}), "jawOpen"),
    (lambda model, f: model.reenact(model.texture(f), 3), "donor"),
    (lambda model, f: model.reenact(model.texture(f), {}, strength=-1), "strength"),
    (lambda model, f: model.sample_identities(f.codes, 0), "count"),
    (lambda model, f: model.analyze(small_images(), refine=1), "refine"),
    (lambda model, f: model.analyze(small_images(), fine="no"), "fine"),
    (lambda model, f: model.find_faces(np.zeros((64, 64, 3), np.uint8), quick="yes"), "quick"),
])
def test_wrong_arguments_are_refused_in_one_way(small, call, named):
    with pytest.raises(ArgumentInvalid, match=named) as refusal:
        call(small, small.analyze(small_images()))
    assert isinstance(refusal.value, ValueError) and str(refusal.value).endswith(".")


# --- Weights ----------------------------------------------------------------------------------------------------------


def test_missing_and_damaged_weights(tmp_path, model, monkeypatch):
    with pytest.raises(WeightsMissing, match="nowhere"):
        LatentFace.from_pretrained(tmp_path / "nowhere.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(BUNDLED.read_bytes()[:10_000])
    with pytest.raises(WeightsDamaged, match="cut"):
        LatentFace.from_pretrained(cut)
    other = tmp_path / "other.safetensors"
    save_weights(other, {"light": torch.zeros(1)}, model.config, {})
    monkeypatch.setenv("LATENTFACE_WEIGHTS", str(other))
    with pytest.raises(WeightsDamaged, match="other"):
        LatentFace.from_pretrained()


def test_without_diffusion_weights_codes_cannot_be_split(tmp_path, folder):
    path = tmp_path / "autoencoder.safetensors"
    path.write_bytes((folder / path.name).read_bytes())
    alone = LatentFace.from_pretrained(path)
    faces = alone.analyze(small_images())
    assert alone.features(small_images(), "code").shape == (2, 512)
    for call in (lambda: alone.split(faces.codes), lambda: alone.swap(faces, faces), lambda: alone.expressions(faces),
                 lambda: alone.reenact(alone.texture(faces), {})):
        with pytest.raises(WeightsMissing, match="train_diffusion"):
            call()


def test_diffusion_weights_of_another_autoencoder_are_refused(folder, tmp_path):
    torch.manual_seed(1)
    config, path = ModelConfig(image_size=32, width=8, pose_width=8), tmp_path / "autoencoder.safetensors"
    save_weights(path, Autoencoder(config).state_dict(), config, {})
    diffusion_path(path).write_bytes(diffusion_path(folder / path.name).read_bytes())
    with pytest.raises(WeightsMismatch, match="another autoencoder"):
        LatentFace.from_pretrained(path)


def test_older_diffusion_weights_are_refused_with_a_sentence(folder, tmp_path):
    """Files before 0.2 named their settings otherwise."""
    path = tmp_path / "autoencoder.safetensors"
    path.write_bytes((folder / path.name).read_bytes())
    old = replace(DiffusionConfig(), width=32)
    save_weights(diffusion_path(path), {"expressions.reader": torch.zeros(2, 2)}, old,
                 {"config": '{"noise_levels": 1000}', "encoders": "abc"})
    with pytest.raises(WeightsDamaged, match="fetch the file"):
        LatentFace.from_pretrained(path)


def test_bundled_weights_are_small_and_unchanged():
    """The codes of published session files and maps depend on these values."""
    assert sum(path.stat().st_size for path in BUNDLED.parent.iterdir()) <= 50e6
    _, state = load_weights(BUNDLED)
    assert autoencoder_fingerprint(state) == "8e342ed312efcc741a92ad7cd65021ca0ca763760eb1547a23cd833a3054b1f1"


def test_weights_survive_storing_twice(tmp_path):
    """Or diffusion weights would not fit the autoencoder that they were made for."""
    config = ModelConfig(image_size=32, width=8, pose_width=8)
    state = Autoencoder(config).state_dict()
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    save_weights(first, state, config, {})
    _, read = load_weights(first)
    save_weights(second, read, config, {})
    assert first.read_bytes() == second.read_bytes()
    assert autoencoder_fingerprint(read) == autoencoder_fingerprint(state)
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(read[name], tensor, rtol=1e-3, atol=max(1e-6, tensor.abs().max().item() / 200))


def test_bundled_expression_names_are_the_rigs(request):
    with np.load(request.config.rootpath / "assets/rig/rig.npz") as rig:
        assert tuple(rig["expression_names"]) == EXPRESSION_NAMES


def test_a_smile_shows_in_the_whole_photo(model, textured, faces, request):
    """The detector, which knows nothing of the edit, finds the smile in the pasted photo."""
    path = request.config.rootpath / "assets/examples/045_neutral.jpg"
    whole = model.paste(model.edit(textured[:1], {"smile": 1.5}), path, faces[0].crop)
    found = model.find_faces(whole)[0]
    smiles = [sum(face.blendshapes[f"mouthSmile{side}"] for side in ("Left", "Right")) for face in (faces[0], found)]
    assert smiles[1] > smiles[0] + 0.3
    with pytest.raises(ArgumentInvalid, match="one face"):
        model.paste(textured, path, faces[0].crop)
