// See RWAlignedResize.h. The CPU path is rw_resize.c; the GPU path is MPSNNResizeBilinear or RWAlignedResize.metal.

#import "RWAlignedResize.h"

#import <Metal/Metal.h>
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

#include "rw_resize_index.h"

#include <stdlib.h>
#include <string.h>

#if __has_feature(objc_arc)
#define RW_AUTORELEASED(object) (object)
#define RW_RETAINED(object) (object)
#define RW_RELEASE(object) ((void)0)
#else
#define RW_AUTORELEASED(object) [(object) autorelease]
#define RW_RETAINED(object) [(object) retain]
#define RW_RELEASE(object) [(object) release]
#endif

NSString *const RWAlignedResizeErrorDomain = @"RWAlignedResize";

static BOOL performanceShaders = YES;

static BOOL fail(NSError **error, NSString *message) {
    if (error != NULL) {
        NSDictionary *info = [NSDictionary dictionaryWithObject:message forKey:NSLocalizedDescriptionKey];
        *error = [NSError errorWithDomain:RWAlignedResizeErrorDomain code:1 userInfo:info];
    }
    return NO;
}

static BOOL failWithStatus(NSError **error, rw_status status) {
    switch (status) {
    case RW_BAD_LENGTH:
        return fail(error, @"a length is below 1 or above 2^20");
    case RW_BAD_SCALE:
        return fail(error, @"a scale is not positive, or needs more than 40 bits");
    case RW_NO_MEMORY:
        return fail(error, @"not enough memory");
    case RW_OK:
        break;
    }
    return fail(error, @"unknown status");
}

// Position of a parameter's text in a list of words; -1 where it is missing or unknown.
static int wordIndex(NSDictionary<NSString *, id> *parameters, NSString *key, const char *const *words, int count) {
    id value = [parameters objectForKey:key];
    if (![value isKindOfClass:[NSString class]]) {
        return -1;
    }
    for (int index = 0; index < count; ++index) {
        if (strcmp([(NSString *)value UTF8String], words[index]) == 0) {
            return index;
        }
    }
    return -1;
}

static double numberOf(NSDictionary<NSString *, id> *parameters, NSString *key) {
    id value = [parameters objectForKey:key];
    return [value isKindOfClass:[NSNumber class]] ? [(NSNumber *)value doubleValue] : 0;
}

@implementation RWAlignedResize

+ (BOOL)usesPerformanceShaders {
    return performanceShaders;
}

+ (void)setUsesPerformanceShaders:(BOOL)uses {
    performanceShaders = uses;
}

- (instancetype)initWithParameterDictionary:(NSDictionary<NSString *, id> *)parameters error:(NSError **)error {
    static const char *const kinds[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"align_corners", "half_pixel", "pytorch_half_pixel", "asymmetric",
                                              "tf_half_pixel_for_nn"};
    static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};
    self = [super init];
    if (self == nil) {
        return nil;
    }
    const int kind = wordIndex(parameters, @"kind", kinds, 3);
    const int coordinate = wordIndex(parameters, @"coordinates", coordinates, 5);
    const int rounding = wordIndex(parameters, @"rounding", roundings, 4);
    if (kind < 0 || coordinate < 0 || rounding < 0) {
        fail(error, @"kind, coordinates or rounding is missing or unknown");
        (void)RW_AUTORELEASED(self);
        return nil;
    }
    _mode.kind = (rw_kind)kind;
    _mode.coordinates = (rw_coordinates)coordinate;
    _mode.rounding = (rw_rounding)rounding;
    _mode.cubic_a = numberOf(parameters, @"cubic_a");
    _mode.exclude_outside = numberOf(parameters, @"exclude_outside") != 0;
    _mode.antialias = numberOf(parameters, @"antialias") != 0;
    _targetHeight = (int64_t)numberOf(parameters, @"target_height");
    _targetWidth = (int64_t)numberOf(parameters, @"target_width");
    _scaleHeight = numberOf(parameters, @"scale_height");
    _scaleWidth = numberOf(parameters, @"scale_width");
    return self;
}

- (BOOL)setWeightData:(NSArray<NSData *> *)weights error:(NSError **)error {
    return [weights count] == 0 ? YES : fail(error, @"the layer has no weights, and was given some");
}

- (int64_t)outputHeight:(int64_t)height {
    return _targetHeight > 0 ? _targetHeight : rw_scaled_length(height, _scaleHeight);
}

- (int64_t)outputWidth:(int64_t)width {
    return _targetWidth > 0 ? _targetWidth : rw_scaled_length(width, _scaleWidth);
}

- (NSArray<NSArray<NSNumber *> *> *)outputShapesForInputShapes:(NSArray<NSArray<NSNumber *> *> *)inputShapes
                                                         error:(NSError **)error {
    if ([inputShapes count] != 1 || [[inputShapes objectAtIndex:0] count] < 2) {
        fail(error, @"the layer takes one input of rank 2 at least");
        return nil;
    }
    // (sequence, batch, channel, height, width) or the tensor's own axes: height and width are the last two anyway.
    NSMutableArray<NSNumber *> *shape = [NSMutableArray arrayWithArray:[inputShapes objectAtIndex:0]];
    const NSUInteger rank = [shape count];
    const int64_t height = [self outputHeight:[[shape objectAtIndex:rank - 2] longLongValue]];
    const int64_t width = [self outputWidth:[[shape objectAtIndex:rank - 1] longLongValue]];
    if (height < 1 || width < 1) {
        fail(error, @"neither target sizes nor usable scales are given");
        return nil;
    }
    [shape replaceObjectAtIndex:rank - 2 withObject:[NSNumber numberWithLongLong:height]];
    [shape replaceObjectAtIndex:rank - 1 withObject:[NSNumber numberWithLongLong:width]];
    return [NSArray arrayWithObject:shape];
}

- (BOOL)makeRows:(rw_taps *)rows
         columns:(rw_taps *)columns
          height:(int64_t)height
           width:(int64_t)width
           error:(NSError **)error {
    rw_status status = rw_make_taps(&_mode, height, [self outputHeight:height], _scaleHeight, rows);
    if (status != RW_OK) {
        return failWithStatus(error, status);
    }
    status = rw_make_taps(&_mode, width, [self outputWidth:width], _scaleWidth, columns);
    if (status != RW_OK) {
        rw_free_taps(rows);
        return failWithStatus(error, status);
    }
    return YES;
}

// Every plane of `source` into `target`; leading axes are walked by their strides.
static void resizePlanes(const rw_taps *rows, const rw_taps *columns, MLMultiArray *source, MLMultiArray *target,
                         float *scratch) {
    const NSUInteger rank = [[source shape] count];
    const NSUInteger leading = rank - 2;
    int64_t planes = 1;
    for (NSUInteger axis = 0; axis < leading; ++axis) {
        planes *= [[[source shape] objectAtIndex:axis] longLongValue];
    }
    for (int64_t plane = 0; plane < planes; ++plane) {
        int64_t rest = plane;
        int64_t from = 0;
        int64_t to = 0;
        for (NSUInteger axis = leading; axis-- > 0;) {
            const int64_t length = [[[source shape] objectAtIndex:axis] longLongValue];
            from += rest % length * [[[source strides] objectAtIndex:axis] longLongValue];
            to += rest % length * [[[target strides] objectAtIndex:axis] longLongValue];
            rest /= length;
        }
        rw_resize_plane(rows, columns, (const float *)[source dataPointer] + from,
                        [[[source strides] objectAtIndex:rank - 2] longLongValue],
                        [[[source strides] objectAtIndex:rank - 1] longLongValue], (float *)[target dataPointer] + to,
                        [[[target strides] objectAtIndex:rank - 2] longLongValue],
                        [[[target strides] objectAtIndex:rank - 1] longLongValue], scratch);
    }
}

- (BOOL)evaluateOnCPUWithInputs:(NSArray<MLMultiArray *> *)inputs
                        outputs:(NSArray<MLMultiArray *> *)outputs
                          error:(NSError **)error {
    if ([inputs count] != 1 || [outputs count] != 1) {
        return fail(error, @"the layer has one input and one output");
    }
    MLMultiArray *source = [inputs objectAtIndex:0];
    MLMultiArray *target = [outputs objectAtIndex:0];
    if ([source dataType] != MLMultiArrayDataTypeFloat32 || [target dataType] != MLMultiArrayDataTypeFloat32) {
        return fail(error, @"the CPU path takes float32 arrays");
    }
    NSArray<NSArray<NSNumber *> *> *wanted =
        [self outputShapesForInputShapes:[NSArray arrayWithObject:[source shape]] error:error];
    if (wanted == nil) {
        return NO;
    }
    if (![[wanted objectAtIndex:0] isEqualToArray:[target shape]]) {
        return fail(error, @"the output array has another shape than the layer announced");
    }
    const NSUInteger rank = [[source shape] count];
    rw_taps rows;
    rw_taps columns;
    if (![self makeRows:&rows
                columns:&columns
                 height:[[[source shape] objectAtIndex:rank - 2] longLongValue]
                  width:[[[source shape] objectAtIndex:rank - 1] longLongValue]
                  error:error]) {
        return NO;
    }
    float *scratch = malloc((size_t)rw_scratch_length(&rows, &columns) * sizeof *scratch);
    if (scratch != NULL) {
        resizePlanes(&rows, &columns, source, target, scratch);
    }
    const BOOL done = scratch != NULL;
    free(scratch);
    rw_free_taps(&rows);
    rw_free_taps(&columns);
    return done ? YES : failWithStatus(error, RW_NO_MEMORY);
}

// Documented semantics of MPSNNResizeBilinear cover exactly this: corners aligned, and more than one pixel each way.
- (BOOL)isResizeBilinear:(id<MTLTexture>)target {
    return performanceShaders && _mode.kind == RW_LINEAR && _mode.coordinates == RW_ALIGN_CORNERS && !_mode.antialias &&
           [target width] > 1 && [target height] > 1;
}

- (void)encodeResizeBilinear:(id<MTLCommandBuffer>)commandBuffer
                      source:(id<MTLTexture>)source
                      target:(id<MTLTexture>)target {
    MPSNNResizeBilinear *resize =
        RW_AUTORELEASED([[MPSNNResizeBilinear alloc] initWithDevice:[commandBuffer device]
                                                        resizeWidth:[target width]
                                                       resizeHeight:[target height]
                                                       alignCorners:YES]);
    // Four channels per slice; the padding channels of the last slice are resized too, which is harmless.
    const NSUInteger channels = 4 * [source arrayLength];
    MPSImage *from = RW_AUTORELEASED([[MPSImage alloc] initWithTexture:source featureChannels:channels]);
    MPSImage *to = RW_AUTORELEASED([[MPSImage alloc] initWithTexture:target featureChannels:channels]);
    [resize encodeToCommandBuffer:commandBuffer sourceImage:from destinationImage:to];
}

- (id<MTLComputePipelineState>)newPipelineFor:(id<MTLDevice>)device
                                     forArrays:(BOOL)isArray
                                         error:(NSError **)error {
    id<MTLLibrary> library = RW_AUTORELEASED(
        [device newDefaultLibraryWithBundle:[NSBundle bundleForClass:[RWAlignedResize class]] error:error]);
    if (library == nil) {
        return nil;
    }
    id<MTLFunction> function =
        RW_AUTORELEASED([library newFunctionWithName:isArray ? @"rw_resize_array" : @"rw_resize_single"]);
    if (function == nil) {
        fail(error, @"RWAlignedResize.metal is not part of the app's default library");
        return nil;
    }
    return [device newComputePipelineStateWithFunction:function error:error];
}

// Made once per device and kind of texture: compiling a pipeline takes longer than a resize.
- (id<MTLComputePipelineState>)pipelineFor:(id<MTLDevice>)device
                                   texture:(id<MTLTexture>)texture
                                     error:(NSError **)error {
    const BOOL isArray = [texture textureType] == MTLTextureType2DArray;
    @synchronized(self) {
        if (_pipeline == nil || _pipelineDevice != device || _pipelineIsForArrays != isArray) {
            RW_RELEASE(_pipeline);
            _pipeline = [self newPipelineFor:device forArrays:isArray error:error];
            RW_RELEASE(_pipelineDevice);
            _pipelineDevice = RW_RETAINED(device);
            _pipelineIsForArrays = isArray;
        }
        return _pipeline;
    }
}

#if !__has_feature(objc_arc)
- (void)dealloc {
    [_pipeline release];
    [_pipelineDevice release];
    [super dealloc];
}
#endif

static void setTable(id<MTLComputeCommandEncoder> encoder, const void *bytes, NSUInteger length, NSUInteger index) {
    id<MTLBuffer> buffer = RW_AUTORELEASED([[encoder device] newBufferWithBytes:bytes
                                                                         length:length
                                                                        options:MTLResourceStorageModeShared]);
    [encoder setBuffer:buffer offset:0 atIndex:index];
}

static void setTables(id<MTLComputeCommandEncoder> encoder, const rw_taps *taps, NSUInteger index) {
    const NSUInteger count = (NSUInteger)taps->n_out * (NSUInteger)taps->taps;
    setTable(encoder, taps->index, count * sizeof *taps->index, index);
    setTable(encoder, taps->weight, count * sizeof *taps->weight, index + 1);
}

- (BOOL)encodeKernel:(id<MTLCommandBuffer>)commandBuffer
              source:(id<MTLTexture>)source
              target:(id<MTLTexture>)target
               error:(NSError **)error {
    id<MTLComputePipelineState> pipeline = [self pipelineFor:[commandBuffer device] texture:source error:error];
    if (pipeline == nil) {
        return NO;
    }
    rw_taps rows;
    rw_taps columns;
    if (![self makeRows:&rows
                columns:&columns
                 height:(int64_t)[source height]
                  width:(int64_t)[source width]
                  error:error]) {
        return NO;
    }
    const rw_resize_shape shape = {.in_height = (int)[source height],
                                   .in_width = (int)[source width],
                                   .out_height = rows.n_out,
                                   .out_width = columns.n_out,
                                   .slices = (int)[source arrayLength],
                                   .row_taps = rows.taps,
                                   .column_taps = columns.taps};
    id<MTLComputeCommandEncoder> encoder = [commandBuffer computeCommandEncoder];
    [encoder setComputePipelineState:pipeline];
    [encoder setTexture:source atIndex:0];
    [encoder setTexture:target atIndex:1];
    [encoder setBytes:&shape length:sizeof shape atIndex:0];
    setTables(encoder, &rows, 1);
    setTables(encoder, &columns, 3);
    const int side = 8;
    const MTLSize group = MTLSizeMake((NSUInteger)side, (NSUInteger)side, 1);
    const MTLSize groups =
        MTLSizeMake((NSUInteger)rw_groups(shape.out_width, side), (NSUInteger)rw_groups(shape.out_height, side),
                    (NSUInteger)shape.slices);
    [encoder dispatchThreadgroups:groups threadsPerThreadgroup:group];
    [encoder endEncoding];
    rw_free_taps(&rows); // the buffers hold copies
    rw_free_taps(&columns);
    return YES;
}

- (BOOL)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                       inputs:(NSArray<id<MTLTexture>> *)inputs
                      outputs:(NSArray<id<MTLTexture>> *)outputs
                        error:(NSError **)error {
    if ([inputs count] != 1 || [outputs count] != 1) {
        return fail(error, @"the layer has one input and one output");
    }
    id<MTLTexture> source = [inputs objectAtIndex:0];
    id<MTLTexture> target = [outputs objectAtIndex:0];
    if ((int64_t)[target height] != [self outputHeight:(int64_t)[source height]] ||
        (int64_t)[target width] != [self outputWidth:(int64_t)[source width]]) {
        return fail(error, @"the output texture has another size than the layer announced");
    }
    if ([self isResizeBilinear:target]) {
        [self encodeResizeBilinear:commandBuffer source:source target:target];
        return YES;
    }
    return [self encodeKernel:commandBuffer source:source target:target error:error];
}

@end
