"""Matrices of operators, each cell measured against what others wrote: right, refused with a reason, or wrong."""
