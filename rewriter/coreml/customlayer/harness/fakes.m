#import "fakes.h"

#include "rw_resize_index.h"

#include <stdlib.h>
#include <string.h>

@implementation MLMultiArray
- (instancetype)initWithShape:(NSArray<NSNumber *> *)shape
                     dataType:(MLMultiArrayDataType)dataType
                        error:(NSError **)error {
    (void)shape, (void)dataType, (void)error;
    return [super init];
}
- (void *)dataPointer {
    abort();
}
- (MLMultiArrayDataType)dataType {
    return MLMultiArrayDataTypeFloat32;
}
- (NSArray<NSNumber *> *)shape {
    abort();
}
- (NSArray<NSNumber *> *)strides {
    abort();
}
- (NSInteger)count {
    abort();
}
@end

@implementation StridedArray
- (instancetype)initWithShape:(const int64_t *)shape strides:(const int64_t *)strides data:(float *)data {
    self = [super init];
    _data = data;
    _lengths = [NSMutableArray new];
    _steps = [NSMutableArray new];
    for (int axis = 0; axis < 3; ++axis) {
        [_lengths addObject:[NSNumber numberWithLongLong:shape[axis]]];
        [_steps addObject:[NSNumber numberWithLongLong:strides[axis]]];
    }
    return self;
}
- (void *)dataPointer {
    return _data;
}
- (NSArray<NSNumber *> *)shape {
    return _lengths;
}
- (NSArray<NSNumber *> *)strides {
    return _steps;
}
@end

@implementation FakeTexture
- (instancetype)initWithWidth:(NSUInteger)width height:(NSUInteger)height slices:(NSUInteger)slices {
    self = [super init];
    _width = width, _height = height, _slices = slices;
    _pixels = calloc(width * height * slices * 4, sizeof *_pixels);
    return self;
}
- (void)dealloc {
    free(_pixels);
    [super dealloc];
}
- (float *)pixels {
    return _pixels;
}
- (NSUInteger)width {
    return _width;
}
- (NSUInteger)height {
    return _height;
}
- (NSUInteger)arrayLength {
    return _slices;
}
- (MTLTextureType)textureType {
    return _slices > 1 ? MTLTextureType2DArray : MTLTextureType2D;
}
- (void)replaceRegion:(MTLRegion)region
          mipmapLevel:(NSUInteger)level
                slice:(NSUInteger)slice
            withBytes:(const void *)bytes
          bytesPerRow:(NSUInteger)bytesPerRow
        bytesPerImage:(NSUInteger)bytesPerImage {
    (void)region, (void)level, (void)slice, (void)bytes, (void)bytesPerRow, (void)bytesPerImage;
    abort();
}
- (void)getBytes:(void *)bytes
      bytesPerRow:(NSUInteger)bytesPerRow
    bytesPerImage:(NSUInteger)bytesPerImage
       fromRegion:(MTLRegion)region
      mipmapLevel:(NSUInteger)level
            slice:(NSUInteger)slice {
    (void)region, (void)level, (void)slice, (void)bytes, (void)bytesPerRow, (void)bytesPerImage;
    abort();
}
@end

@interface FakeObject : NSObject <MTLLibrary, MTLFunction, MTLComputePipelineState>
@end
@implementation FakeObject
- (id<MTLFunction>)newFunctionWithName:(NSString *)name {
    const BOOL known = [name isEqualToString:@"rw_resize_array"] || [name isEqualToString:@"rw_resize_single"];
    return known ? [FakeObject new] : nil;
}
@end

@interface FakeBuffer : NSObject <MTLBuffer> {
    void *_contents;
}
- (instancetype)initWithBytes:(const void *)bytes length:(NSUInteger)length;
@end
@implementation FakeBuffer
- (instancetype)initWithBytes:(const void *)bytes length:(NSUInteger)length {
    self = [super init];
    _contents = malloc(length);
    memcpy(_contents, bytes, length);
    return self;
}
- (void)dealloc {
    free(_contents);
    [super dealloc];
}
- (void *)contents {
    return _contents;
}
@end

@implementation FakeDevice
- (id<MTLLibrary>)newDefaultLibraryWithBundle:(NSBundle *)bundle error:(NSError **)error {
    (void)bundle, (void)error;
    return [FakeObject new];
}
- (id<MTLComputePipelineState>)newComputePipelineStateWithFunction:(id<MTLFunction>)function error:(NSError **)error {
    (void)function, (void)error;
    return [FakeObject new];
}
- (id<MTLBuffer>)newBufferWithBytes:(const void *)bytes length:(NSUInteger)length options:(MTLResourceOptions)options {
    (void)options;
    return [[FakeBuffer alloc] initWithBytes:bytes length:length];
}
- (id<MTLCommandQueue>)newCommandQueue {
    abort();
}
- (id<MTLTexture>)newTextureWithDescriptor:(MTLTextureDescriptor *)descriptor {
    (void)descriptor;
    abort();
}
@end

// One device for all, as on a phone: the layer keeps what it made for it.
static FakeDevice *sharedDevice(void) {
    static FakeDevice *device = nil;
    if (device == nil) {
        device = [FakeDevice new];
    }
    return device;
}

@interface FakeEncoder : NSObject <MTLComputeCommandEncoder> {
    FakeTexture *_textures[2];
    rw_resize_shape _shape;
    id<MTLBuffer> _buffers[5];
}
@end
@implementation FakeEncoder
- (id<MTLDevice>)device {
    return sharedDevice();
}
- (void)setComputePipelineState:(id<MTLComputePipelineState>)state {
    (void)state;
}
- (void)setTexture:(id<MTLTexture>)texture atIndex:(NSUInteger)index {
    _textures[index] = (FakeTexture *)texture;
}
- (void)setBytes:(const void *)bytes length:(NSUInteger)length atIndex:(NSUInteger)index {
    if (index != 0 || length != sizeof _shape) {
        abort();
    }
    memcpy(&_shape, bytes, length);
}
- (void)setBuffer:(id<MTLBuffer>)buffer offset:(NSUInteger)offset atIndex:(NSUInteger)index {
    if (offset != 0 || index < 1 || index > 4) {
        abort();
    }
    _buffers[index] = buffer;
}
// What the kernel in RWAlignedResize.metal does at one position of the grid, with the same macro.
- (void)runAtX:(int)x y:(int)y slice:(int)slice {
    if (!rw_is_inside(_shape, x, y, slice)) {
        return;
    }
    const int *rowIndex = [_buffers[1] contents];
    const float *rowWeight = [_buffers[2] contents];
    const int *columnIndex = [_buffers[3] contents];
    const float *columnWeight = [_buffers[4] contents];
    const float *from = [_textures[0] pixels] + (size_t)slice * 4 * (size_t)(_shape.in_height * _shape.in_width);
    float *to = [_textures[1] pixels] + (size_t)slice * 4 * (size_t)(_shape.out_height * _shape.out_width);
    for (int lane = 0; lane < 4; ++lane) {
        float total = 0;
#define READ(column, row) from[((row) * _shape.in_width + (column)) * 4 + lane]
#define ADD(sum, texel, weight) sum += (texel) * (weight)
        RW_RESIZE_TEXEL(total, _shape, x, y, rowIndex, rowWeight, columnIndex, columnWeight, READ, ADD)
        to[(y * _shape.out_width + x) * 4 + lane] = total;
    }
}
- (void)dispatchThreadgroups:(MTLSize)groups threadsPerThreadgroup:(MTLSize)threads {
    for (NSUInteger z = 0; z < groups.depth * threads.depth; ++z) {
        for (NSUInteger y = 0; y < groups.height * threads.height; ++y) {
            for (NSUInteger x = 0; x < groups.width * threads.width; ++x) {
                [self runAtX:(int)x y:(int)y slice:(int)z];
            }
        }
    }
}
- (void)endEncoding {
}
@end

@implementation FakeCommandBuffer
- (id<MTLDevice>)device {
    return sharedDevice();
}
- (id<MTLComputeCommandEncoder>)computeCommandEncoder {
    return [[FakeEncoder new] autorelease];
}
- (void)commit {
}
- (void)waitUntilCompleted {
}
@end

@implementation MPSImage
- (instancetype)initWithTexture:(id<MTLTexture>)texture featureChannels:(NSUInteger)featureChannels {
    (void)texture, (void)featureChannels;
    return [super init];
}
@end

@implementation MPSNNResizeBilinear
- (instancetype)initWithDevice:(id<MTLDevice>)device
                   resizeWidth:(NSUInteger)resizeWidth
                  resizeHeight:(NSUInteger)resizeHeight
                  alignCorners:(BOOL)alignCorners {
    (void)device, (void)resizeWidth, (void)resizeHeight, (void)alignCorners;
    return [super init];
}
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                  sourceImage:(MPSImage *)sourceImage
             destinationImage:(MPSImage *)destinationImage {
    (void)commandBuffer, (void)sourceImage, (void)destinationImage;
    abort();
}
@end
