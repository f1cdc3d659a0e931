"""The papers' protocols, end to end on small sets of rendered people in the layouts that others give away."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.config import ModelConfig
from core.errors import ConfigError, ImageUnreadable
from core.faces import find_faces
from core.types import Light
from training.evaluate.__main__ import main, parser
from training.evaluate.datasets import read_expressions
from training.evaluate.faces import read_faces
from training.evaluate.features import NAMES
from training.evaluate.protocols import expression, verification
from training.evaluate.protocols.expression import accuracies, fine_tune, probe
from training.evaluate.protocols.verification import best_threshold, read_pairs, verify, verify_linear
from training.objective.baselines import TwoEncoders
from training.render_validation import render_image
from training.rig.rig import EXPRESSIONS, Rig

SIZE, PEOPLE = 32, 8
EXAMPLE = Path(__file__).parents[3] / "assets" / "examples" / "045_neutral.jpg"
COLUMNS = set(NAMES) - {"autoencoder", "contrastive"}


@pytest.fixture(scope="module")
def faces():
    """Images of people, neutral and with open mouths: [person][expression] (32, 32, 3) uint8."""
    rig, rng, generator = Rig.load(split="heldout"), np.random.default_rng(0), torch.Generator().manual_seed(0)
    people = [rig.sample_person(rng) for _ in range(PEOPLE)]
    shapes = [rig.activations(EXPRESSIONS[name]) for name in ("neutral", "open")]
    light, frontal = Light.of(0.5, 0.5, 0, 0.2), np.zeros(5, np.float32)
    return [[render_image(rig.render(person, shape, frontal, SIZE), light, generator)
             for shape in shapes] for person in people]


def save(pixels, path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def run(command, *arguments):
    command.run(parser().parse_args([command.__name__.rpartition(".")[2], *map(str, arguments)]))


def write_people(folder: Path, faces):
    """LFW's layout: two photos of each person, the second one darker."""
    for person, (neutral, _) in enumerate(faces):
        save(neutral, folder / f"P_{person}" / f"P_{person}_0001.jpg")
        save((neutral * 0.9).astype(np.uint8), folder / f"P_{person}" / f"P_{person}_0002.jpg")
    lines = ["2 4"]
    for fold in (range(4), range(4, 8)):
        lines += [f"P_{person} 1 2" for person in fold]
        lines += [f"P_{person}\t1\tP_{(person + 3) % 8}\t2" for person in fold]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")


def test_verification_end_to_end(faces, split_weights, tmp_path):
    write_people(tmp_path, faces)
    run(verification, "--root", tmp_path, "--pairs", tmp_path / "pairs.txt", "--weights", split_weights, "--aligned",
        "--cache", tmp_path / "cache", "--out", tmp_path / "report.json")
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    assert all(set(figures[key]) == COLUMNS for key in ("accuracy", "error", "auc", "linear", "linear_error"))
    # Darker copies of one rendering: even its pixels tell people apart, and untrained codes do.
    assert figures["auc"]["pca"] > 0.9 and figures["auc"]["code"] > 0.9
    kept = sorted(path.name.split("-")[0] for path in (tmp_path / "cache").iterdir())
    assert kept == ["faces", "features", "features"]
    (tmp_path / "P_3" / "P_3_0002.jpg").unlink()
    with pytest.raises(ConfigError, match="P_3_0002.jpg"):
        run(verification, "--root", tmp_path, "--pairs", tmp_path / "pairs.txt", "--weights", split_weights)


def test_pairs_are_read_as_their_home_page_says(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("2\t1\nAda_L\t1\t4\nAda_L\t1\tBo\t20\nBo\t2\t3\nBo\t2\tAda_L\t12\n")
    pairs, same, folds = read_pairs(path)
    assert pairs[0] == ("Ada_L/Ada_L_0001.jpg", "Ada_L/Ada_L_0004.jpg")
    assert pairs[3] == ("Bo/Bo_0002.jpg", "Ada_L/Ada_L_0012.jpg")
    assert same.tolist() == [True, False, True, False] and folds.tolist() == [0, 0, 1, 1]
    for text in ("", "2 1\nAda 1 2\n", "ten\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="pairs.txt"):
            read_pairs(path)


def test_lists_of_photos_are_read_as_their_home_pages_say(tmp_path):
    people = [(f"P{person}", f"P{(person + 1) % 10}") for person in range(10)]
    sllfw = [[f"{one}/{one}_0001.jpg", f"{other}/{other}_0002.jpg"] for pair in people for one, other in
             ((pair[0], pair[0]), pair)]
    cplfw = [[f"{one}_1.jpg {int(one == other)}", f"{other}_2.jpg {int(one == other)}"] for pair in people
             for one, other in ((pair[0], pair[0]), pair)]
    for name, pairs in (("pair_SLLFW.txt", sllfw), ("pairs_CPLFW.txt", cplfw)):
        (tmp_path / name).write_text("\n".join(line for pair in pairs for line in pair) + "\n")
        found, same, folds = read_pairs(tmp_path / name)
        assert found == [tuple(line.split()[0] for line in pair) for pair in pairs]
        assert same.tolist() == [True, False] * 10 and folds.tolist() == [fold for fold in range(10) for _ in "12"]
    (tmp_path / "pairs_CPLFW.txt").write_text("a_1.jpg 1\na_2.jpg 0\n")
    with pytest.raises(ConfigError, match="different labels"):
        read_pairs(tmp_path / "pairs_CPLFW.txt")


def test_a_linear_classifier_on_pairs_learns_which_features_tell_people_apart():
    random = np.random.default_rng(0)
    people, noise = random.normal(size=(400, 4)), random.normal(size=(2, 400, 12)) * 3
    same, folds = np.arange(400) % 2 == 0, np.arange(400) // 40
    others = np.where(same[:, None], people, random.normal(size=(400, 4)))
    first, second = (np.concatenate(parts, 1) for parts in ((people, noise[0]), (others, noise[1])))
    cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    assert verify_linear(first, second, same, folds)["linear"] > verify(cosine, same, folds)["accuracy"] + 0.15


def test_the_threshold_comes_from_the_other_folds():
    same, folds = np.tile([True, False], 20), np.repeat(np.arange(4), 10)
    assert verify(same * 1.0, same, folds) == {"accuracy": 1, "error": 0, "auc": 1}
    assert 0.1 <= best_threshold(np.array([0.9, 0.1, 0.0, 0.8]), np.array([True, False, False, True])) < 0.8
    # One fold is shifted by so much that the others' threshold calls all its pairs the same.
    shifted = verify(same + 10.0 * (folds == 0), same, folds)
    assert shifted["accuracy"] == pytest.approx((0.5 + 3 * 1) / 4) and shifted["error"] == pytest.approx(0.125)


def write_raf_db(folder, faces):
    lines = []
    for part, people in (("train", faces[:6]), ("test", faces[6:])):
        for person, pair in enumerate(people):
            for number, (label, pixels) in enumerate(zip((7, 1), pair, strict=True)):
                name = f"{part}_{2 * person + number:05d}"
                save(pixels, folder / "basic" / "Image" / "aligned" / f"{name}_aligned.jpg")
                lines.append(f"{name}.jpg {label}")
    listing = folder / "basic" / "EmoLabel" / "list_patition_label.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text("\n".join(lines))


def write_affectnet(folder, faces):
    for part, people in (("train_set", faces[:6]), ("val_set", faces[6:])):
        (folder / part / "annotations").mkdir(parents=True)
        for person, (neutral, opened) in enumerate(people):
            for label, pixels in ((0, neutral), (3, opened), (9, neutral)):
                name = f"{person}{label}"
                save(pixels, folder / part / "images" / f"{name}.jpg")
                np.save(folder / part / "annotations" / f"{name}_exp.npy", str(label))


def write_affectnet_lists(folder, faces):
    """As it was given away first."""
    (folder / "Manually_Annotated_file_lists").mkdir()
    for part, people in (("training", faces[:6]), ("validation", faces[6:])):
        lines = ["subDirectory_filePath,face_x,expression"]
        for person, (neutral, opened) in enumerate(people):
            for label, pixels in ((0, neutral), (3, opened), (9, neutral)):
                save(pixels, folder / "Manually_Annotated_Images" / part / f"{person}{label}.jpg")
                lines.append(f"{part}/{person}{label}.jpg,0,{label}")
        (folder / "Manually_Annotated_file_lists" / f"{part}.csv").write_text("\n".join(lines))


def write_fer2013(folder, faces):
    with open(folder / "fer2013.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["emotion", "pixels", "Usage"])
        for person, pair in enumerate(faces):
            part = "Training" if person < 6 else ("PublicTest", "PrivateTest")[person % 2]
            for label, pixels in zip((6, 5), pair, strict=True):
                rows.writerow([label, " ".join(map(str, pixels.mean(-1).astype(int).ravel())), part])


def write_fer2013_challenge(folder, faces):
    """As the challenge's archive has it: another order of the columns, and spaces in their names."""
    write_fer2013(folder, faces)
    with open(folder / "fer2013.csv", newline="") as file:
        rows = [[row["emotion"], row["Usage"], row["pixels"]] for row in csv.DictReader(file)]
    (folder / "fer2013.csv").unlink()
    with open(folder / "icml_face_data.csv", "w", newline="") as file:
        csv.writer(file).writerows([["emotion", " Usage", " pixels"], *rows])


def write_fer2013_parts(folder, faces):
    """A file for each part, without the column Usage."""
    write_fer2013(folder, faces)
    with open(folder / "fer2013.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (folder / "fer2013.csv").unlink()
    for name, parts in (("train", ["Training"]), ("test", ["PrivateTest", "PublicTest"])):
        with open(folder / f"{name}.csv", "w", newline="") as file:
            chosen = [[row["emotion"], row["pixels"]] for row in rows if row["Usage"] in parts]
            csv.writer(file).writerows([["emotion", "pixels"], *chosen])


def write_folders(folder, faces):
    for part, people in (("train", faces[:6]), ("test", faces[6:])):
        for person, (neutral, opened) in enumerate(people):
            save(neutral, folder / part / "neutral" / f"{person}.png")
            save(opened, folder / part / "surprise" / f"{person}.png")


@pytest.mark.parametrize("write", [write_raf_db, write_affectnet, write_affectnet_lists, write_fer2013,
                                   write_fer2013_challenge, write_fer2013_parts, write_folders])
def test_layouts_are_known_by_sight(write, faces, tmp_path):
    write(tmp_path, faces)
    found = read_expressions(tmp_path)
    # Whatever their numbers, neutral and surprised faces are what they are called.
    assert sorted({found.classes[label] for label in found.train.labels}) == ["neutral", "surprise"]
    assert len(found.train.sources) == 12 and len(found.test.sources) == (
        2 if write in (write_fer2013, write_fer2013_challenge) else 4)
    images, missed = read_faces(found.train.sources, SIZE, aligned=True, cache=None)
    surprised = np.array([found.classes[label] == "surprise" for label in found.train.labels])
    # Open mouths are darker than closed ones, where mouths are.
    mouth = images.float().mean(1)[:, 22:27, 13:19].mean((1, 2)).numpy()
    assert missed == 0 and mouth[surprised].mean() < mouth[~surprised].mean() - 5


def test_a_part_that_is_not_there_is_named(faces, tmp_path):
    with pytest.raises(ConfigError, match="RAF-DB"):
        read_expressions(tmp_path)
    write_fer2013(tmp_path, faces)
    assert len(read_expressions(tmp_path, "PublicTest").test.sources) == 2
    with pytest.raises(ConfigError, match="PrivateTest, PublicTest"):
        read_expressions(tmp_path, "test")
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    with pytest.raises(ConfigError, match="Training"):
        read_expressions(tmp_path)


@pytest.mark.parametrize(("name", "text", "sentence"), [
    ("fer2013.csv", "emotion,pixels,Usage\n3,1 2 3 4,Training\n3,1 2 3,Training\n", "fer2013.csv, line 3, is damaged"),
    ("fer2013.csv", "emotion,pixels,Usage\n9,1 2 3 4,Training\n", "line 2"),
    ("fer2013.csv", "emotion,pixels,Usage\n3,1 2 3 4,Elsewhere\n", "line 2"),
    ("fer2013.csv", "emotion,pixels,Usage\n3\n", "line 2"),
    ("fer2013.csv", "emotion,pixels\n3,1 2 3 4\n", "no labels"), ("train.csv", "pixels\n1 2 3 4\n", "no labels")])
def test_damaged_tables_are_named(name, text, sentence, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_expressions(tmp_path)


def test_damaged_photos_are_named(tmp_path):
    (tmp_path / "damaged.jpg").write_bytes(b"no photo")
    for name in ("damaged.jpg", "missing.jpg"):
        for cache in (None, tmp_path / "cache"):
            with pytest.raises(ImageUnreadable, match=name):
                read_faces([tmp_path / name], SIZE, aligned=True, cache=cache)


def test_a_report_of_the_users_is_not_replaced(tmp_path):
    (tmp_path / "report.json").write_text("precious")
    with pytest.raises(SystemExit, match="--overwrite"):
        main(["expression", "--root", str(tmp_path), "--out", str(tmp_path / "report.json")])
    assert (tmp_path / "report.json").read_text() == "precious"


@pytest.mark.parametrize("write", [write_raf_db, write_affectnet, write_fer2013])
def test_expression_end_to_end(write, faces, split_weights, tmp_path):
    write(tmp_path, faces[:6] + faces[:2])
    run(expression, "--root", tmp_path, "--weights", split_weights, "--aligned", "--epochs", 1,
        "--out", tmp_path / "report.json")
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    assert set(figures["probe"]) == set(figures["probe_mean"]) == COLUMNS
    assert set(figures["tuned"]) == set(figures["tuned_mean"]) == {"code", "random"}
    # Those who are asked about have been learnt.
    assert figures["probe"]["pca"] == figures["probe_mean"]["pca"] == 1


def test_the_probe_reads_classes_that_are_there():
    random = np.random.default_rng(0)
    labels = np.arange(90) % 3
    rows = random.normal(size=(90, 5)) + 4 * np.eye(5)[labels]
    assert accuracies(probe(rows[:60], labels[:60], rows[60:]), labels[60:])[0] > 0.9
    assert accuracies(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])) == (0.75, 0.75)
    assert accuracies(np.zeros(4, int), np.array([0, 0, 0, 1])) == (0.75, 0.5)


def test_fine_tuning_learns_and_leaves_the_network_alone():
    network = TwoEncoders(ModelConfig(image_size=SIZE, width=8, pose_width=8)).requires_grad_(False)
    before = [parameter.clone() for parameter in network.parameters()]
    labels = np.arange(32) % 2
    images = torch.full((32, 3, SIZE, SIZE), 60, dtype=torch.uint8)
    images[labels == 1, 0] = 200  # red or grey
    assert (fine_tune(network, images, labels, images, classes=2, epochs=12) == labels).all()
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_faces_are_found_aligned_and_kept(tmp_path, monkeypatch):
    sources = [EXAMPLE, np.full((64, 64), 90, np.uint8)]
    images, missed = read_faces(sources, 64, aligned=False, cache=tmp_path)
    assert missed == 1 and (images[1] == 90).all()
    expected = find_faces(EXAMPLE, 64)[0].image * 255
    assert (images[0] - expected).abs().mean() < 1
    monkeypatch.setattr("training.evaluate.faces.read_photo", lambda source: pytest.fail("read again"))
    again, missed = read_faces(sources, 64, aligned=False, cache=tmp_path)
    assert torch.equal(again, images) and missed == 1
