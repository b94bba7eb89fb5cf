// Index arithmetic of the resize, shared by the CPU path (C), the Metal kernel and the checks.
//
// Everything here is plain C and plain Metal at once: no pointers to address spaces are named.

#ifndef RW_RESIZE_INDEX_H
#define RW_RESIZE_INDEX_H

// Lengths of one image. 32-bit integers on both sides, so that the struct can be copied to the GPU as it is.
typedef struct {
    int in_height;
    int in_width;
    int out_height;
    int out_width;
    int slices;      // textures hold four channels per slice
    int row_taps;    // weights per output row
    int column_taps; // weights per output column
} rw_resize_shape;

static inline int rw_slot(int position, int tap, int taps) { return position * taps + tap; }

static inline int rw_slices(int channels) { return (channels + 3) / 4; }

static inline int rw_groups(int length, int group) { return (length + group - 1) / group; }

static inline int rw_is_inside(rw_resize_shape shape, int x, int y, int slice) {
    return x < shape.out_width && y < shape.out_height && slice < shape.slices;
}

// Adds up one output texel. READ(x, y) gives an input texel; ADD(total, texel, weight) adds it weighed.
#define RW_RESIZE_TEXEL(TOTAL, SHAPE, X, Y, ROW_INDEX, ROW_WEIGHT, COLUMN_INDEX, COLUMN_WEIGHT, READ, ADD)      \
    for (int rw_i = 0; rw_i < (SHAPE).row_taps; ++rw_i) {                                                       \
        const int rw_row = rw_slot((Y), rw_i, (SHAPE).row_taps);                                                \
        const float rw_row_weight = (ROW_WEIGHT)[rw_row];                                                       \
        for (int rw_j = 0; rw_j < (SHAPE).column_taps; ++rw_j) {                                                \
            const int rw_column = rw_slot((X), rw_j, (SHAPE).column_taps);                                      \
            ADD(TOTAL, READ((COLUMN_INDEX)[rw_column], (ROW_INDEX)[rw_row]),                                    \
                rw_row_weight * (COLUMN_WEIGHT)[rw_column]);                                                    \
        }                                                                                                       \
    }

#endif
