#!/usr/bin/env bash
# Train on a remote GPU machine that is available for minutes: at most 64 MiB are copied there and back, a run ends
# within 9 minutes, and the next one continues from the weights that came back.
#
#   here:   scripts/remote_train.sh pack OUT.tar.gz PHOTOS WEIGHTS         PHOTOS: made by training.prepare
#   there:  tar -xzf OUT.tar.gz && bash scripts/remote_train.sh train RESULT [FLAGS of the training]
#   here:   scripts/remote_train.sh pack OUT.tar.gz PHOTOS RESULT/model.safetensors                     and so on
#
# Weights are copied (8 bits a number, 19 MB), not the checkpoint (300 MB): the optimizer starts anew with its warm-up.
# Another `train` in the same place continues from RESULT. Renders are made there, by all processors. Environment
# variables: STAGE is hybrid (the default), detail or fine (docs/training.md), RENDERS the number of renders (40000),
# PYTHON the interpreter (python3). RESULT/metrics.jsonl has `samples_per_second`: choose --steps so that the learning
# rate has fallen when the time is over. The fine stage does not continue: its steps must fit into one run.
#
# So far this was run from end to end on a CPU only: train RESULT --device cpu.
set -euo pipefail

BYTES=$((64 * 1024 * 1024))
RUN=540 RENDERING=180 FINISHING=20    # seconds: whole run, rendering at most, start and end
BUNDLED=(tyro docstring_parser typeguard)    # pure Python, and seldom installed beside PyTorch: these are copied
NEEDED=(torch numpy PIL safetensors numba pydantic tqdm yaml accelerate)

say() { printf 'remote_train: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '5,7s/^# *//p' "$0" >&2; exit 2; }

# Run a command for a number of seconds at most; being stopped then is no failure.
within() { timeout "$@" || [ $? = 124 ]; }

pack() {
    [ $# = 3 ] || usage
    local out photos weights python folder room
    out=$(realpath "$1") photos=$(realpath "$2") weights=$(realpath "$3")
    [ "$(stat -c %s "$weights")" -lt $BYTES ] || die "$weights is too large: name the model.safetensors of a run."
    cd "$(dirname "$0")/.."
    python=${PYTHON:-.venv/bin/python}
    folder=$(mktemp -d)
    trap "rm -rf '$folder'" EXIT
    git ls-files core training scripts assets/rig ':!training/evaluate' | tar -cT - | tar -xC "$folder"
    cp "$weights" "$folder/start.safetensors"
    "$python" - "$folder/packages" "${BUNDLED[@]}" <<'END'
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree, ignore_patterns

for name in sys.argv[2:]:
    copytree(Path(find_spec(name).origin).parent, Path(sys.argv[1]) / name, ignore=ignore_patterns("__pycache__"))
END
    room=$((BYTES - $(tar -czC "$folder" . | wc -c)))
    "$python" -m training.tools.shrink_pack "$photos" "$folder/photos" --bytes "$room"
    tar -czf "$out" -C "$folder" .
    [ "$(stat -c %s "$out")" -le $BYTES ] || { rm "$out"; die "This needs more than 64 MiB: name fewer photos."; }
    say "$out: $(du -h "$out" | cut -f 1)"
}

train() {
    [ $# -ge 1 ] || usage
    local result python start missing left run stage=${STAGE:-hybrid} size=64 made=model.safetensors training
    result=$(realpath -m "$1") python=${PYTHON:-python3}
    shift
    cd "$(dirname "$0")/.."
    export PYTHONPATH=$PWD/packages
    missing=$("$python" -c 'import sys; from importlib.util import find_spec
print(*(name for name in sys.argv[1:] if not find_spec(name)))' "${NEEDED[@]}")
    [ -z "$missing" ] || die "Install with pip first: $missing (PIL is Pillow, yaml is PyYAML)."
    mkdir -p "$result"
    start=$result/model.safetensors
    [ -f "$start" ] || start=start.safetensors
    training=(training.train_autoencoder --start-from "$start")
    case $stage in
        hybrid | detail) ;;
        fine) size=128 made=fine.safetensors training=(training.train_fine --weights "$start") ;;
        *) die "STAGE must be hybrid, detail or fine, got $stage." ;;
    esac

    # Where time is short, training begins with the renders that are finished; the next run renders the rest.
    within $RENDERING "$python" -m training.render_pack --size $size --count "${RENDERS:-40000}" \
        --workers "$(nproc)" --out packs/rig$size
    left=$((RUN - SECONDS - FINISHING))
    say "training for $left s from $start"
    within $left "$python" -m "${training[@]}" --config "training/configs/$stage.yaml" --photos photos \
        --renders packs/rig$size --device cuda --threads "$(nproc)" --checkpoint-minutes 1 "$@"

    run=$(ls -d runs/*/ | tail -n 1)
    [ -f "$run/$made" ] || die "The run ended before its first checkpoint."
    cp "$run"/{$made,metrics.jsonl,config.json} "$result"
    rm -f "$result"/sheet-*.png
    find "$run" -name 'sheet-*.png' | sort | tail -n 1 | xargs -r cp -t "$result"
    say "$result: $(grep samples_per_second "$result/metrics.jsonl" | tail -n 1)"
}

command=${1:-}
shift || true
case $command in
    pack) pack "$@" ;;
    train) train "$@" ;;
    *) usage ;;
esac
