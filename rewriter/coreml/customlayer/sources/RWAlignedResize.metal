// Resizes four channels at a time. Which pixels with which weights comes in tables that rw_resize.c computed; the loop
// and its index arithmetic are in rw_resize_index.h, which is tested as C.
//
// Textures are half precision as Core ML makes them; sums are float, and rounded once, when they are written.

#include <metal_stdlib>

#include "rw_resize_index.h"

using namespace metal;

#define RW_ADD(total, texel, weight) total += (texel) * (weight)

#define RW_READ_ARRAY(x, y) source.read(uint2(uint(x), uint(y)), position.z)

kernel void rw_resize_array(texture2d_array<float, access::read> source [[texture(0)]],
                            texture2d_array<float, access::write> target [[texture(1)]],
                            constant rw_resize_shape &shape [[buffer(0)]],
                            device const int *row_index [[buffer(1)]],
                            device const float *row_weight [[buffer(2)]],
                            device const int *column_index [[buffer(3)]],
                            device const float *column_weight [[buffer(4)]],
                            uint3 position [[thread_position_in_grid]]) {
    if (!rw_is_inside(shape, int(position.x), int(position.y), int(position.z))) {
        return;
    }
    float4 total = 0;
    RW_RESIZE_TEXEL(total, shape, int(position.x), int(position.y), row_index, row_weight, column_index, column_weight,
                    RW_READ_ARRAY, RW_ADD)
    target.write(total, position.xy, position.z);
}

#define RW_READ_SINGLE(x, y) source.read(uint2(uint(x), uint(y)))

kernel void rw_resize_single(texture2d<float, access::read> source [[texture(0)]],
                             texture2d<float, access::write> target [[texture(1)]],
                             constant rw_resize_shape &shape [[buffer(0)]],
                             device const int *row_index [[buffer(1)]],
                             device const float *row_weight [[buffer(2)]],
                             device const int *column_index [[buffer(3)]],
                             device const float *column_weight [[buffer(4)]],
                             uint3 position [[thread_position_in_grid]]) {
    if (!rw_is_inside(shape, int(position.x), int(position.y), int(position.z))) {
        return;
    }
    float4 total = 0;
    RW_RESIZE_TEXEL(total, shape, int(position.x), int(position.y), row_index, row_weight, column_index, column_weight,
                    RW_READ_SINGLE, RW_ADD)
    target.write(total, position.xy);
}
