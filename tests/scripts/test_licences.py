"""Licences of what is installed."""

from pathlib import Path

from scripts.licences import NONE, licences, main, required

ROOT = Path(__file__).parents[2]


def test_included_lists_are_read_too(tmp_path):
    (tmp_path / "more.txt").write_text("-r base.txt\nray[data]==2.60.0  # several machines\n")
    (tmp_path / "base.txt").write_text("--extra-index-url https://a.org\ntorch==2.13.0\n# note\nPyYAML==6.0.3\n")
    assert required([tmp_path / "more.txt"]) == {"ray", "torch", "PyYAML"}


def test_packages_that_others_need_are_listed():
    found = licences(["pytest", "there-is-no-such-package"])
    assert found["pytest"] == "MIT" and "pluggy" in found and "there-is-no-such-package" not in found


def test_everything_that_the_app_needs_states_a_licence(capsys):
    assert main([str(ROOT / "requirements.txt")]) == 0
    printed = capsys.readouterr().out
    assert NONE not in printed and "torch" in printed and "starlette" in printed
