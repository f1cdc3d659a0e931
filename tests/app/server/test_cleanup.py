"""Visitors' files are deleted at a fixed age."""

import os

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
