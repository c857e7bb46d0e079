from gpiozero.pins import Factory, Pin, PinInfo

class PiPin(Pin):
    def __init__(self, factory: Factory, info: PinInfo) -> None: ...

class PiFactory(Factory):
    pins: dict[PinInfo, Pin]
