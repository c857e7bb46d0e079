"""`python -m hardware.pictures` redraws the pictures of hardware/."""

from pathlib import Path

from hardware.pictures import build, lights, wiring

FOLDER = Path(__file__).parent


def main() -> None:
    """Write every picture to the folder of this file."""
    for name, svg in {**lights.pictures(), **wiring.pictures(), **build.pictures()}.items():
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
