"""TensorFlow's image ops that no ONNX Resize computes, written with operators that every runtime has.

One formula serves constants and run-time values: `Expression` computes at once what is known, and writes nodes for
the rest. ResizeArea and ScaleAndTranslate become one weight matrix per axis, CropAndResize and the nearest resizes
that runtimes round otherwise become gathers.
"""
