// See rw_resize.h.

#include "rw_resize.h"
#include "rw_resize_index.h"

#include <math.h>
#include <stdlib.h>

static const int64_t longest = (int64_t)1 << 20;
static const int64_t largest_part = (int64_t)1 << 40;

// A fraction; the denominator is positive. With the limits above no product below leaves 63 bits.
typedef struct {
    int64_t over;
    int64_t under;
} fraction;

static int64_t floor_of(int64_t over, int64_t under) {
    const int64_t quotient = over / under;
    return quotient * under > over ? quotient - 1 : quotient;
}

static int64_t ceiling_of(int64_t over, int64_t under) { return -floor_of(-over, under); }

static int64_t clamped(int64_t index, int64_t length) {
    return index < 0 ? 0 : index >= length ? length - 1 : index;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b) {
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// A double as the fraction that it is; 0 / 1 where it is not positive or needs too many bits.
static fraction fraction_of(double value) {
    fraction result = {0, 1};
    if (!(value > 0) || value > (double)longest) {
        return result;
    }
    int64_t under = 1;
    while (value != floor(value)) {
        if (under >= largest_part) {
            return result;
        }
        value *= 2; // exact
        under *= 2;
    }
    if (value > (double)largest_part) {
        return result;
    }
    result.over = (int64_t)value;
    result.under = under;
    return result;
}

static fraction scale_of(int64_t n_in, int64_t n_out, double scale) {
    if (scale != 0) {
        return fraction_of(scale);
    }
    const int64_t common = greatest_common_divisor(n_out, n_in);
    const fraction result = {n_out / common, n_in / common};
    return result;
}

// Where output pixel i samples, in input pixels, before clamping.
static fraction position_of(rw_coordinates coordinates, int64_t i, int64_t n_in, int64_t n_out, fraction scale) {
    fraction x = {0, 1};
    switch (coordinates) {
    case RW_ALIGN_CORNERS:
        if (n_out > 1) {
            x.over = i * (n_in - 1);
            x.under = n_out - 1;
        }
        return x;
    case RW_ASYMMETRIC:
        x.over = i * scale.under;
        x.under = scale.over;
        return x;
    case RW_TF_HALF_PIXEL_FOR_NN:
        x.over = (2 * i + 1) * scale.under;
        x.under = 2 * scale.over;
        return x;
    case RW_PYTORCH_HALF_PIXEL:
        if (n_out == 1) {
            return x;
        }
        break;
    case RW_HALF_PIXEL:
        break;
    }
    x.over = (2 * i + 1) * scale.under - scale.over;
    x.under = 2 * scale.over;
    return x;
}

static int64_t rounded(fraction x, rw_rounding rounding) {
    switch (rounding) {
    case RW_FLOOR:
        return floor_of(x.over, x.under);
    case RW_CEIL:
        return ceiling_of(x.over, x.under);
    case RW_ROUND_PREFER_FLOOR:
        return ceiling_of(2 * x.over - x.under, 2 * x.under);
    case RW_ROUND_PREFER_CEIL:
        break;
    }
    return floor_of(2 * x.over + x.under, 2 * x.under);
}

static double kernel_weight(double distance, rw_kind kind, double a) {
    if (kind == RW_LINEAR) {
        return distance < 1 ? 1 - distance : 0;
    }
    if (distance <= 1) {
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
    }
    return distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * a : 0;
}

// x within [0, n - 1]: the same numbers as clamping the taps of a linear kernel.
static fraction inside(fraction x, int64_t n_in) {
    if (x.over < 0) {
        x.over = 0;
    }
    if (x.over > (n_in - 1) * x.under) {
        x.over = n_in - 1;
        x.under = 1;
    }
    return x;
}

static void fill_nearest(const rw_mode *mode, fraction x, rw_taps *taps, int64_t i) {
    taps->index[i] = (int32_t)clamped(rounded(x, mode->rounding), taps->n_in);
    taps->weight[i] = 1;
}

static void fill_kernel(const rw_mode *mode, fraction x, double stretch, rw_taps *taps, double *weights, int64_t i) {
    if (mode->kind == RW_LINEAR && stretch == 1) {
        x = inside(x, taps->n_in);
    }
    const double reach = (mode->kind == RW_CUBIC ? 2 : 1) * stretch;
    const int64_t first = (int64_t)floor((double)x.over / (double)x.under - reach) + 1;
    double total = 0;
    for (int32_t tap = 0; tap < taps->taps; ++tap) {
        const int64_t pixel = first + tap;
        const double distance = fabs((double)(pixel * x.under - x.over) / (double)x.under) / stretch;
        const int dropped = mode->exclude_outside && (pixel < 0 || pixel >= taps->n_in);
        weights[tap] = dropped ? 0 : kernel_weight(distance, mode->kind, mode->cubic_a);
        total += weights[tap];
        taps->index[rw_slot((int)i, tap, taps->taps)] = (int32_t)clamped(pixel, taps->n_in);
    }
    if (total == 0) { // every tap lies outside: the nearest pixel is all there is
        weights[0] = total = 1;
        taps->index[rw_slot((int)i, 0, taps->taps)] = (int32_t)clamped(rounded(x, RW_ROUND_PREFER_FLOOR), taps->n_in);
    }
    for (int32_t tap = 0; tap < taps->taps; ++tap) {
        taps->weight[rw_slot((int)i, tap, taps->taps)] = (float)(weights[tap] / total);
    }
}

static int32_t tap_count(const rw_mode *mode, double stretch) {
    if (mode->kind == RW_NEAREST) {
        return 1;
    }
    const double reach = (mode->kind == RW_CUBIC ? 2 : 1) * stretch;
    return (int32_t)ceil(2 * reach);
}

rw_status rw_make_taps(const rw_mode *mode, int64_t n_in, int64_t n_out, double scale, rw_taps *taps) {
    taps->index = NULL;
    taps->weight = NULL;
    if (n_in < 1 || n_out < 1 || n_in > longest || n_out > longest) {
        return RW_BAD_LENGTH;
    }
    const fraction factor = scale_of(n_in, n_out, scale);
    if (factor.over == 0) {
        return RW_BAD_SCALE;
    }
    const int shrinks = factor.over < factor.under;
    const double stretch = mode->antialias && shrinks ? (double)factor.under / (double)factor.over : 1;
    taps->n_in = (int32_t)n_in;
    taps->n_out = (int32_t)n_out;
    taps->taps = tap_count(mode, stretch);
    const size_t count = (size_t)n_out * (size_t)taps->taps;
    taps->index = calloc(count, sizeof *taps->index);
    taps->weight = calloc(count, sizeof *taps->weight);
    double *weights = calloc((size_t)taps->taps, sizeof *weights);
    if (taps->index == NULL || taps->weight == NULL || weights == NULL) {
        free(weights);
        rw_free_taps(taps);
        return RW_NO_MEMORY;
    }
    for (int64_t i = 0; i < n_out; ++i) {
        const fraction x = position_of(mode->coordinates, i, n_in, n_out, factor);
        if (mode->kind == RW_NEAREST) {
            fill_nearest(mode, x, taps, i);
        } else {
            fill_kernel(mode, x, stretch, taps, weights, i);
        }
    }
    free(weights);
    return RW_OK;
}

void rw_free_taps(rw_taps *taps) {
    free(taps->index);
    free(taps->weight);
    taps->index = NULL;
    taps->weight = NULL;
}

int64_t rw_scaled_length(int64_t n_in, double scale) {
    const fraction factor = fraction_of(scale);
    return n_in < 1 || n_in > longest ? 0 : floor_of(n_in * factor.over, factor.under);
}

int64_t rw_scratch_length(const rw_taps *rows, const rw_taps *columns) {
    return (int64_t)rows->n_in * columns->n_out;
}

void rw_resize_plane(const rw_taps *rows, const rw_taps *columns, const float *source, int64_t source_row_stride,
                     int64_t source_column_stride, float *target, int64_t target_row_stride,
                     int64_t target_column_stride, float *scratch) {
    const int64_t width = columns->n_out;
    for (int64_t row = 0; row < rows->n_in; ++row) {
        const float *line = source + row * source_row_stride;
        for (int64_t x = 0; x < width; ++x) {
            float total = 0;
            for (int32_t tap = 0; tap < columns->taps; ++tap) {
                const int slot = rw_slot((int)x, tap, columns->taps);
                total += columns->weight[slot] * line[columns->index[slot] * source_column_stride];
            }
            scratch[row * width + x] = total;
        }
    }
    for (int64_t y = 0; y < rows->n_out; ++y) {
        for (int64_t x = 0; x < width; ++x) {
            float total = 0;
            for (int32_t tap = 0; tap < rows->taps; ++tap) {
                const int slot = rw_slot((int)y, tap, rows->taps);
                total += rows->weight[slot] * scratch[rows->index[slot] * width + x];
            }
            target[y * target_row_stride + x * target_column_stride] = total;
        }
    }
}
