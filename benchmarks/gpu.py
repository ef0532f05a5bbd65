"""Check and time nasion on a GPU: pack a bundle on one machine, run its stages on another.

Usage: python benchmarks/gpu.py pack --data DIR [--bundle FOLDER] [--stages STAGE ...]
           [--runs FOLDER] [--no-wheels] [--tiny]
       python benchmarks/gpu.py run STAGE ... --bundle FOLDER --out FOLDER [--seconds 280] [--tiny]
STAGE: checks, speed, course, fkd, face68, or all. `pack` needs the datasets in DIR and a package
index, for face68 also those of benchmarks/face_sets.py and the runs of benchmarks/face68.py; it
packs for the stages before face68 unless --stages names others. `run` needs the bundle and this
checkout, PyTorch, NumPy, Pillow, Typer, Rich, Jinja2, safetensors, jaxtyping, onnx and onnxruntime,
and no network. A stage stops after --seconds with everything saved; started again with the same
--out it continues. Its table comes last; its numbers go to OUT/STAGE.json, and with a GPU also to
results/gpu/STAGE.json. --tiny: drawn faces, small
networks, a few steps, also on a CPU.
"""

import argparse
import importlib.util
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("checks", "speed", "course", "fkd", "face68")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="write the bundle")
    pack.add_argument("--data", type=Path, help="the folder that holds fkd and ibug68")
    pack.add_argument("--stages", nargs="+", choices=STAGES, help="what to pack for")
    pack.add_argument("--runs", type=Path, default=Path("runs"), help="of benchmarks/face68.py")
    pack.add_argument("--no-wheels", action="store_true", help="leave the Python packages out")
    run = commands.add_parser("run", help="run stages from a bundle")
    run.add_argument("stages", nargs="+", choices=[*STAGES, "all"], metavar="STAGE")
    run.add_argument("--out", type=Path, required=True, help="checkpoints, logs and numbers")
    run.add_argument("--seconds", type=float, default=280, help="at most, per stage")
    for command in (pack, run):
        command.add_argument("--bundle", type=Path, default=ROOT / "gpu_bundle")
        command.add_argument("--tiny", action="store_true", help="a smoke test on drawn faces")
    options = parser.parse_args()
    if options.command == "pack":
        if not options.data and not options.tiny:
            parser.error("pack needs --data DIR, the folder that holds fkd and ibug68")
        import_nasion_from_here()
        from gpu_stages.bundle import write_bundle

        # Together they are too large for some machines.
        stages = options.stages or (STAGES if options.tiny else STAGES[:-1])
        write_bundle(options.bundle, options.data, not options.no_wheels, stages, options.runs)
        return
    if not (options.bundle / "bundle.json").is_file():
        parser.error(f"{options.bundle} holds no bundle.json; make it with: gpu.py pack")
    options.out.mkdir(parents=True, exist_ok=True)
    add_wheels(options.bundle / "wheels", options.out / "packages")
    import_nasion_from_here()
    from gpu_stages.stage import run_stages

    names = STAGES if "all" in options.stages else options.stages
    if not run_stages(names, options.bundle, options.out, options.seconds, options.tiny):
        sys.exit(1)


def import_nasion_from_here():
    """Import nasion from this checkout, whether or not it is installed."""
    sys.path.insert(0, str(ROOT / "src"))


def add_wheels(wheels, folder):
    """Unpack the wheels of packages that are not installed here, and make them importable."""
    for wheel in sorted(wheels.glob("*.whl")):
        module = wheel.name.split("-")[0]
        if importlib.util.find_spec(module) is None:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
    sys.path.append(str(folder))


if __name__ == "__main__":
    main()
