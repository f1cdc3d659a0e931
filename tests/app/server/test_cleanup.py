"""Visitors' files are deleted at a fixed age."""

import os
import shutil

from app.server.cleanup import delete_old_files


def test_old_files_and_empty_folders_are_deleted_and_new_files_kept(tmp_path):
    for path in (tmp_path / "old" / "photo.jpg", tmp_path / "part", tmp_path / "new" / "face.glb"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"face")
        os.utime(path, (0, 0))
    os.utime(tmp_path / "new" / "face.glb")
    delete_old_files(tmp_path, 600)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["face.glb"]
    delete_old_files(tmp_path, -600)  # ten minutes from now
    assert not any(tmp_path.iterdir())


def test_a_folder_that_vanishes_meanwhile_does_not_end_the_deletion(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "photo.jpg").write_bytes(b"face")
    scan, vanished = os.scandir, []

    def scan_too_late(path):
        if os.path.basename(str(path)) in ("b", "inner") and len(vanished) < 2:
            vanished.append(path)
            shutil.rmtree(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_too_late)
    delete_old_files(tmp_path, -600)
    monkeypatch.undo()
    assert len(vanished) == 2 and not any(tmp_path.iterdir())
