"""The core: owns all state of a conversation and does no I/O."""
