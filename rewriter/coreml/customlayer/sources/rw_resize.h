// Resizing of one image plane in plain C: which input pixels each output pixel takes, with which weights.
//
// Positions are exact fractions of 64-bit integers, so that nearest pixels never depend on rounding of floats.

#ifndef RW_RESIZE_H
#define RW_RESIZE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { RW_NEAREST, RW_LINEAR, RW_CUBIC } rw_kind;

// The words of the ONNX operator Resize.
typedef enum {
    RW_ALIGN_CORNERS,
    RW_HALF_PIXEL,
    RW_PYTORCH_HALF_PIXEL,
    RW_ASYMMETRIC,
    RW_TF_HALF_PIXEL_FOR_NN
} rw_coordinates;

typedef enum { RW_FLOOR, RW_CEIL, RW_ROUND_PREFER_FLOOR, RW_ROUND_PREFER_CEIL } rw_rounding;

typedef struct {
    rw_kind kind;
    rw_coordinates coordinates;
    rw_rounding rounding; // RW_NEAREST only
    double cubic_a;       // RW_CUBIC only
    int exclude_outside;  // drop taps outside of the input and renormalise
    int antialias;        // stretch the kernel where the image shrinks
} rw_mode;

typedef enum {
    RW_OK,
    RW_BAD_LENGTH, // a length below 1 or above 2^20
    RW_BAD_SCALE,  // a scale that is not positive, or that needs more than 40 bits
    RW_NO_MEMORY
} rw_status;

// One axis: per output pixel `taps` input pixels and weights, both [n_out * taps].
typedef struct {
    int32_t n_in;
    int32_t n_out;
    int32_t taps;
    int32_t *index;
    float *weight;
} rw_taps;

// The table of one axis. `scale` is that of the coordinate formula; 0 stands for n_out / n_in.
rw_status rw_make_taps(const rw_mode *mode, int64_t n_in, int64_t n_out, double scale, rw_taps *taps);

void rw_free_taps(rw_taps *taps);

// floor(n_in * scale), or 0 where the scale is not usable.
int64_t rw_scaled_length(int64_t n_in, double scale);

// Floats that rw_resize_plane needs as scratch.
int64_t rw_scratch_length(const rw_taps *rows, const rw_taps *columns);

// One plane. Strides count floats, between rows and between columns; they may be anything.
void rw_resize_plane(const rw_taps *rows, const rw_taps *columns, const float *source, int64_t source_row_stride,
                     int64_t source_column_stride, float *target, int64_t target_row_stride,
                     int64_t target_column_stride, float *scratch);

#ifdef __cplusplus
}
#endif

#endif
