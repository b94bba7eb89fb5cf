"""Raising the operator set of a model, keeping what it computes.

onnx's own version converter drops documentation, metadata and local functions, and changes what resizes compute, so
it is not used. Instead each operator in the model is looked up: unchanged between the two versions, changed in a way
that we know how to follow, or a reason not to raise the version.
"""
