from gpiozero.pins.pi import PiFactory

class LGPIOFactory(PiFactory):
    _handle: int | None  # None when it is closed
    def __init__(self, chip: int | None = None) -> None: ...
