"""Export to ONNX (floor 6)."""

from importlib import import_module

from skfocal._optional import optional_dependency

with optional_dependency("skl2onnx", needed_by="to_onnx", extra="onnx"):
    import_module("skl2onnx")
    from skfocal.onnx._converter import to_onnx

__all__ = ["to_onnx"]

to_onnx.__module__ = __name__
