"""`python -m hardware.pictures` draws the pictures of hardware/ anew."""

from pathlib import Path

from hardware.pictures import lights, wiring

FOLDER = Path(__file__).parent


def main() -> None:
    """Write every picture beside this file."""
    for name, svg in {**lights.pictures(), **wiring.pictures()}.items():
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
