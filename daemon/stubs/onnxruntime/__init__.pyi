"""The part of onnxruntime that Parley uses: a session on the CPU whose outputs are tensors."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

class SessionOptions:
    intra_op_num_threads: int
    inter_op_num_threads: int
    def add_free_dimension_override_by_name(self, name: str, value: int) -> None: ...
    def add_session_config_entry(self, arg0: str, arg1: str) -> None: ...

class InferenceSession:
    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: SessionOptions | None = None,
        providers: Sequence[str] | None = None,
        provider_options: Sequence[dict[str, str]] | None = None,
        **kwargs: object,
    ) -> None: ...
    # Other models may return lists or maps; the outputs of Silero's are float32.
    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, NDArray[np.float32] | NDArray[np.int64]],
        run_options: None = None,
    ) -> list[NDArray[np.float32]]: ...
