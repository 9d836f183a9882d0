"""The innermost loops of `.layerwise`, of so many numbers at once that a processor's vectors fill.

What Numba compiles of a plain loop over two arrays first asks whether these overlap, and ends with
single numbers. Where a loop is over some dozens of numbers, this takes most of the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nengo_phasor import compat

numba = compat.require("numba")
ir = compat.require("llvmlite.ir")
cgutils = compat.require("numba.core.cgutils")
intrinsic = compat.require("numba.extending").intrinsic

_DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def cached(function: Callable) -> Callable:
    """Compile a loop that calls nothing outside of its own module and of this one.

    What is compiled is kept on disk for the next process. Numba looks there for changes of the
    loop's module; those of this one are in the name.
    """
    function.__qualname__ = f"{function.__name__}_{_DIGEST}"
    return numba.njit(nogil=True, cache=True)(function)


WIDTH = 16
"""Numbers of a vector."""

LINE = 64
"""Bytes of a line of the cache."""


@intrinsic
def _add(typing_context, target, i, source, j, value, n):
    """Add ``value`` times n, or as many as a vector has, of an array to as many of another."""
    types = target, numba.intp, source, numba.intp, target.dtype, numba.intp

    def generate(context, builder, signature, arguments):
        into, i, of, j, value, n = arguments
        vector = ir.VectorType(context.get_value_type(target.dtype), WIDTH)
        size = target.dtype.bitwidth // 8
        values = _splat(builder, vector, value)
        there, here = (
            builder.bitcast(
                builder.gep(context.make_array(kind)(context, builder, array).data, [first]),
                vector.as_pointer(),
            )
            for kind, array, first in ((target, into, i), (source, of, j))
        )
        whole = builder.icmp_signed(">=", n, n.type(WIDTH))
        with builder.if_else(whole) as (then, otherwise):
            with then:
                product = builder.fmul(values, builder.load(here, align=size))
                total = builder.fadd(builder.load(there, align=size), product)
                builder.store(total, there, align=size)
            with otherwise:
                lanes = ir.VectorType(ir.IntType(64), WIDTH)
                counted = ir.Constant(lanes, list(range(WIDTH)))
                mask = builder.icmp_signed("<", counted, _splat(builder, lanes, n))
                product = builder.fmul(values, _load(builder, here, mask, size))
                total = builder.fadd(_load(builder, there, mask, size), product)
                _store(builder, total, there, mask, size)
        return context.get_dummy_value()

    return numba.void(*types), generate


def _splat(builder, vector, value):
    """Return a vector of equal numbers."""
    nothing = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.VectorType(ir.IntType(32), vector.count)
    return builder.shuffle_vector(one, nothing, ir.Constant(lanes, [0] * vector.count))


def _load(builder, place, mask, size):
    """Return the numbers at a place where the mask is set, and zeros."""
    vector = place.type.pointee
    types = vector, [vector.as_pointer(), ir.IntType(32), mask.type, vector]
    load = _intrinsic(builder, "load", vector, *types)
    none = ir.Constant(vector, [0.0] * vector.count)
    return builder.call(load, [place, ir.IntType(32)(size), mask, none])


def _store(builder, values, place, mask, size):
    """Write numbers to a place where the mask is set."""
    vector = values.type
    types = ir.VoidType(), [vector, vector.as_pointer(), ir.IntType(32), mask.type]
    store = _intrinsic(builder, "store", vector, *types)
    builder.call(store, [values, place, ir.IntType(32)(size), mask])


def _intrinsic(builder, name, vector, result, arguments):
    number = "f32" if isinstance(vector.element, ir.FloatType) else "f64"
    kind = ir.FunctionType(result, arguments)
    full = f"llvm.masked.{name}.v{vector.count}{number}.p0"
    return cgutils.get_or_insert_function(builder.module, kind, full)


def aligned_empty(shape, dtype) -> np.ndarray:
    """Return an array whose vectors, from the first on, are not across lines of the cache."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.empty(size + LINE, np.uint8)
    first = -room.ctypes.data % LINE
    return room[first : first + size].view(dtype).reshape(shape)


@numba.njit(inline="always")
def add_scaled(target, i, source, j, n, value):
    """Add ``value * source[j : j + n]`` to ``target[i : i + n]``; both arrays are contiguous."""
    for done in range(0, n, WIDTH):
        _add(target, i + done, source, j + done, value, n - done)


@intrinsic
def bits_of_64(typing_context, flags, i):
    """Return which of 64 bytes of an array are not zero, from the lowest bit on."""

    def generate(context, builder, signature, arguments):
        start = context.make_array(flags)(context, builder, arguments[0]).data
        vector = ir.VectorType(ir.IntType(8), 64)
        place = builder.bitcast(builder.gep(start, [arguments[1]]), vector.as_pointer())
        is_set = builder.icmp_signed(
            "!=", builder.load(place, align=1), ir.Constant(vector, [0] * 64)
        )
        return builder.bitcast(is_set, ir.IntType(64))

    return numba.uint64(flags, numba.intp), generate


@intrinsic
def lowest_bit(typing_context, bits):
    """Return the place of the lowest bit that is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return numba.int64(numba.uint64), generate
