// Runs the layer on this device against golden values that were computed with exact arithmetic when the sources were
// written: on the CPU, with the project's Metal kernel, and with MPSNNResizeBilinear where the layer uses it.
//
// Add this file, RWGolden.json and all RW... sources to an XCTest target with a host app.

#import <CoreML/CoreML.h>
#import <Metal/Metal.h>
#import <XCTest/XCTest.h>

#import "RWAlignedResize.h"

#include <stdlib.h>

// Golden values are float32; a GPU may round what it interpolates to half precision.
static const double cpuTolerance = 1e-5;
static const double gpuTolerance = 4e-3;

@interface RWAlignedResizeTests : XCTestCase
@end

@implementation RWAlignedResizeTests

- (NSArray *)goldens {
    NSBundle *bundle = [NSBundle bundleForClass:[RWAlignedResizeTests class]];
    NSString *path = [bundle pathForResource:@"RWGolden" ofType:@"json"];
    NSData *data = path == nil ? nil : [NSData dataWithContentsOfFile:path];
    id content = data == nil ? nil : [NSJSONSerialization JSONObjectWithData:data options:0 error:NULL];
    XCTAssertNotNil(content, @"RWGolden.json is not in the test bundle");
    return content;
}

// The same picture as in the generator (golden.py).
static float inputAt(NSInteger plane, NSInteger row, NSInteger column) {
    return (float)((plane * 7 + row * 3 + column * 5 + row * column) % 17) / 8 - 1;
}

static NSInteger lengthOf(NSDictionary *golden, NSString *key, NSUInteger axis) {
    return [[[golden objectForKey:key] objectAtIndex:axis] integerValue];
}

- (RWAlignedResize *)layerFor:(NSDictionary *)golden {
    NSError *error = nil;
    RWAlignedResize *layer = [[RWAlignedResize alloc] initWithParameterDictionary:[golden objectForKey:@"parameters"]
                                                                            error:&error];
    XCTAssertNotNil(layer, @"%@", error);
    return layer;
}

- (void)compare:(const float *)found with:(NSDictionary *)golden within:(double)tolerance path:(NSString *)path {
    NSArray *positions = [golden objectForKey:@"positions"];
    NSArray *values = [golden objectForKey:@"values"];
    for (NSUInteger index = 0; index < [values count]; ++index) {
        const NSInteger position = [[positions objectAtIndex:index] integerValue];
        XCTAssertEqualWithAccuracy((double)found[position], [[values objectAtIndex:index] doubleValue], tolerance,
                                   @"%@ of %@ at %ld", path, [golden objectForKey:@"name"], (long)position);
    }
}

- (void)testCPU {
    for (NSDictionary *golden in [self goldens]) {
        MLMultiArray *input = [[MLMultiArray alloc] initWithShape:[golden objectForKey:@"input_shape"]
                                                         dataType:MLMultiArrayDataTypeFloat32
                                                            error:NULL];
        MLMultiArray *output = [[MLMultiArray alloc] initWithShape:[golden objectForKey:@"output_shape"]
                                                          dataType:MLMultiArrayDataTypeFloat32
                                                             error:NULL];
        float *pixels = (float *)[input dataPointer];
        for (NSInteger plane = 0; plane < lengthOf(golden, @"input_shape", 0); ++plane) {
            for (NSInteger row = 0; row < lengthOf(golden, @"input_shape", 1); ++row) {
                for (NSInteger column = 0; column < lengthOf(golden, @"input_shape", 2); ++column) {
                    *pixels++ = inputAt(plane, row, column);
                }
            }
        }
        NSError *error = nil;
        const BOOL done = [[self layerFor:golden] evaluateOnCPUWithInputs:[NSArray arrayWithObject:input]
                                                                  outputs:[NSArray arrayWithObject:output]
                                                                    error:&error];
        XCTAssertTrue(done, @"%@", error);
        [self compare:(const float *)[output dataPointer] with:golden within:cpuTolerance path:@"CPU"];
    }
}

static id<MTLTexture> textureOf(id<MTLDevice> device, NSInteger height, NSInteger width) {
    MTLTextureDescriptor *descriptor = [[MTLTextureDescriptor alloc] init];
    descriptor.textureType = MTLTextureType2DArray;
    descriptor.pixelFormat = MTLPixelFormatRGBA32Float;
    descriptor.width = (NSUInteger)width;
    descriptor.height = (NSUInteger)height;
    descriptor.arrayLength = 2; // an array as Core ML makes them; the second slice stays empty
    descriptor.usage = MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite;
    return [device newTextureWithDescriptor:descriptor];
}

- (void)runOnGPU:(NSString *)path {
    id<MTLDevice> device = MTLCreateSystemDefaultDevice();
    XCTAssertNotNil(device, @"this device has no GPU");
    id<MTLCommandQueue> queue = [device newCommandQueue];
    for (NSDictionary *golden in [self goldens]) {
        const NSInteger planes = lengthOf(golden, @"input_shape", 0); // four at most
        const NSInteger height = lengthOf(golden, @"input_shape", 1), width = lengthOf(golden, @"input_shape", 2);
        const NSInteger outHeight = lengthOf(golden, @"output_shape", 1);
        const NSInteger outWidth = lengthOf(golden, @"output_shape", 2);
        id<MTLTexture> source = textureOf(device, height, width);
        id<MTLTexture> target = textureOf(device, outHeight, outWidth);
        float *texels = calloc((size_t)(height * width * 4), sizeof *texels);
        for (NSInteger pixel = 0; pixel < height * width; ++pixel) {
            for (NSInteger plane = 0; plane < planes; ++plane) {
                texels[pixel * 4 + plane] = inputAt(plane, pixel / width, pixel % width);
            }
        }
        [source replaceRegion:MTLRegionMake2D(0, 0, (NSUInteger)width, (NSUInteger)height)
                  mipmapLevel:0
                        slice:0
                    withBytes:texels
                  bytesPerRow:(NSUInteger)width * 16
                bytesPerImage:(NSUInteger)(width * height) * 16];
        free(texels);
        id<MTLCommandBuffer> buffer = [queue commandBuffer];
        NSError *error = nil;
        const BOOL done = [[self layerFor:golden] encodeToCommandBuffer:buffer
                                                                 inputs:[NSArray arrayWithObject:source]
                                                                outputs:[NSArray arrayWithObject:target]
                                                                  error:&error];
        XCTAssertTrue(done, @"%@", error);
        [buffer commit];
        [buffer waitUntilCompleted];
        float *found = calloc((size_t)(outHeight * outWidth * 4), sizeof *found);
        float *sorted = calloc((size_t)(outHeight * outWidth * planes), sizeof *sorted);
        [target getBytes:found
              bytesPerRow:(NSUInteger)outWidth * 16
            bytesPerImage:(NSUInteger)(outWidth * outHeight) * 16
               fromRegion:MTLRegionMake2D(0, 0, (NSUInteger)outWidth, (NSUInteger)outHeight)
              mipmapLevel:0
                    slice:0];
        for (NSInteger pixel = 0; pixel < outHeight * outWidth; ++pixel) {
            for (NSInteger plane = 0; plane < planes; ++plane) {
                sorted[plane * outHeight * outWidth + pixel] = found[pixel * 4 + plane];
            }
        }
        [self compare:sorted with:golden within:gpuTolerance path:path];
        free(found);
        free(sorted);
    }
}

- (void)testKernel {
    [RWAlignedResize setUsesPerformanceShaders:NO];
    [self runOnGPU:@"kernel"];
    [RWAlignedResize setUsesPerformanceShaders:YES];
}

- (void)testPerformanceShaders {
    [self runOnGPU:@"MPSNNResizeBilinear"];
}

@end
