// Runs cases from a file through the layer: its CPU path, and its GPU path on a fake GPU. See cases.py for the format.

#import "RWAlignedResize.h"
#import "fakes.h"

#include "rw_resize_index.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    int32_t kind, coordinates, rounding, exclude_outside, antialias;
    int32_t planes, in_height, in_width, target_height, target_width;
    int32_t in_layout, out_layout;
    double cubic_a, scale_height, scale_width;
} header;

static const char *const kinds[] = {"nearest", "linear", "cubic"};
static const char *const coordinates[] = {"align_corners", "half_pixel", "pytorch_half_pixel", "asymmetric",
                                          "tf_half_pixel_for_nn"};
static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};

static void stop(NSString *message) {
    fprintf(stderr, "%s\n", [message UTF8String]);
    exit(1);
}

static NSDictionary *parametersOf(const header *given) {
    NSMutableDictionary *result = [NSMutableDictionary dictionary];
    [result setObject:[NSString stringWithUTF8String:kinds[given->kind]] forKey:@"kind"];
    [result setObject:[NSString stringWithUTF8String:coordinates[given->coordinates]] forKey:@"coordinates"];
    [result setObject:[NSString stringWithUTF8String:roundings[given->rounding]] forKey:@"rounding"];
    [result setObject:[NSNumber numberWithDouble:given->cubic_a] forKey:@"cubic_a"];
    [result setObject:[NSNumber numberWithBool:given->exclude_outside != 0] forKey:@"exclude_outside"];
    [result setObject:[NSNumber numberWithBool:given->antialias != 0] forKey:@"antialias"];
    [result setObject:[NSNumber numberWithInt:given->target_height] forKey:@"target_height"];
    [result setObject:[NSNumber numberWithInt:given->target_width] forKey:@"target_width"];
    [result setObject:[NSNumber numberWithDouble:given->scale_height] forKey:@"scale_height"];
    [result setObject:[NSNumber numberWithDouble:given->scale_width] forKey:@"scale_width"];
    return result;
}

// Strides of (plane, row, column): 0 dense, 1 rows and planes with gaps, 2 channels last. Returns the floats needed.
static int64_t stridesOf(int layout, const int64_t shape[3], int64_t strides[3]) {
    if (layout == 2) {
        strides[0] = 1, strides[1] = shape[2] * shape[0], strides[2] = shape[0];
        return shape[0] * shape[1] * shape[2];
    }
    strides[2] = 1;
    strides[1] = shape[2] + (layout == 1 ? 3 : 0);
    strides[0] = strides[1] * shape[1] + (layout == 1 ? 5 : 0);
    return strides[0] * shape[0];
}

static int64_t offset(const int64_t strides[3], int64_t plane, int64_t row, int64_t column) {
    return plane * strides[0] + row * strides[1] + column * strides[2];
}

static void runOnCPU(RWAlignedResize *layer, const header *given, const float *input, const int64_t out[3], float *result) {
    const int64_t shape[3] = {given->planes, given->in_height, given->in_width};
    int64_t from[3], to[3];
    float *source = calloc((size_t)stridesOf(given->in_layout, shape, from), sizeof *source);
    float *target = calloc((size_t)stridesOf(given->out_layout, out, to), sizeof *target);
    for (int64_t p = 0; p < shape[0]; ++p)
        for (int64_t y = 0; y < shape[1]; ++y)
            for (int64_t x = 0; x < shape[2]; ++x)
                source[offset(from, p, y, x)] = *input++;
    StridedArray *in = [[[StridedArray alloc] initWithShape:shape strides:from data:source] autorelease];
    StridedArray *made = [[[StridedArray alloc] initWithShape:out strides:to data:target] autorelease];
    NSError *error = nil;
    if (![layer evaluateOnCPUWithInputs:[NSArray arrayWithObject:in] outputs:[NSArray arrayWithObject:made] error:&error])
        stop([error localizedDescription]);
    for (int64_t p = 0; p < out[0]; ++p)
        for (int64_t y = 0; y < out[1]; ++y)
            for (int64_t x = 0; x < out[2]; ++x)
                *result++ = target[offset(to, p, y, x)];
    free(source);
    free(target);
}

static void runOnGPU(RWAlignedResize *layer, const header *given, const float *input, const int64_t out[3], float *result) {
    const NSUInteger slices = (NSUInteger)rw_slices(given->planes);
    FakeTexture *source = [[[FakeTexture alloc] initWithWidth:(NSUInteger)given->in_width
                                                       height:(NSUInteger)given->in_height
                                                       slices:slices] autorelease];
    FakeTexture *target = [[[FakeTexture alloc] initWithWidth:(NSUInteger)out[2]
                                                       height:(NSUInteger)out[1]
                                                       slices:slices] autorelease];
    const int64_t inPlane = (int64_t)given->in_height * given->in_width;
    for (int64_t p = 0; p < given->planes; ++p)
        for (int64_t i = 0; i < inPlane; ++i)
            [source pixels][(p / 4 * inPlane + i) * 4 + p % 4] = *input++;
    NSError *error = nil;
    if (![layer encodeToCommandBuffer:[[FakeCommandBuffer new] autorelease]
                               inputs:[NSArray arrayWithObject:source]
                              outputs:[NSArray arrayWithObject:target]
                                error:&error])
        stop([error localizedDescription]);
    for (int64_t p = 0; p < out[0]; ++p)
        for (int64_t i = 0; i < out[1] * out[2]; ++i)
            *result++ = [target pixels][(p / 4 * out[1] * out[2] + i) * 4 + p % 4];
}

static void runCase(const header *given, const float *input, FILE *answers) {
    NSError *error = nil;
    RWAlignedResize *layer =
        [[[RWAlignedResize alloc] initWithParameterDictionary:parametersOf(given) error:&error] autorelease];
    if (layer == nil || ![layer setWeightData:[NSArray array] error:&error])
        stop([error localizedDescription]);
    // Five axes, as Core ML's older mapping has them.
    NSArray *shape = [NSArray arrayWithObjects:[NSNumber numberWithInt:1], [NSNumber numberWithInt:1],
                                               [NSNumber numberWithInt:given->planes],
                                               [NSNumber numberWithInt:given->in_height],
                                               [NSNumber numberWithInt:given->in_width], nil];
    NSArray *shapes = [layer outputShapesForInputShapes:[NSArray arrayWithObject:shape] error:&error];
    if (shapes == nil)
        stop([error localizedDescription]);
    int64_t out[3];
    for (NSUInteger axis = 0; axis < 3; ++axis)
        out[axis] = [[[shapes objectAtIndex:0] objectAtIndex:axis + 2] longLongValue];
    const size_t count = (size_t)(out[0] * out[1] * out[2]);
    float *result = calloc(count, sizeof *result);
    fwrite(out, sizeof *out, 3, answers);
    runOnCPU(layer, given, input, out, result);
    fwrite(result, sizeof *result, count, answers);
    runOnGPU(layer, given, input, out, result);
    runOnGPU(layer, given, input, out, result); // again, with what the layer kept
    fwrite(result, sizeof *result, count, answers);
    free(result);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    FILE *cases = fopen(argv[1], "rb");
    FILE *answers = fopen(argv[2], "wb");
    if (cases == NULL || answers == NULL)
        return 2;
    NSAutoreleasePool *outer = [NSAutoreleasePool new];
    [RWAlignedResize setUsesPerformanceShaders:NO]; // the fake GPU runs the project's own kernel
    header given;
    while (fread(&given, sizeof given, 1, cases) == 1) {
        NSAutoreleasePool *pool = [NSAutoreleasePool new];
        const size_t count = (size_t)given.planes * (size_t)given.in_height * (size_t)given.in_width;
        float *input = malloc(count * sizeof *input);
        if (fread(input, sizeof *input, count, cases) != count)
            stop(@"the file of cases is cut off");
        runCase(&given, input, answers);
        free(input);
        [pool release];
    }
    [outer release];
    fclose(cases);
    return fclose(answers);
}
