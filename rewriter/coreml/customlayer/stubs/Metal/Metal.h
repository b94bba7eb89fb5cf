// A stand-in for Apple's header, written for this project's checks: declarations that RWAlignedResize uses.
#ifndef RW_STUB_METAL_H
#define RW_STUB_METAL_H
#import <Foundation/Foundation.h>

typedef enum { MTLTextureType2D = 2, MTLTextureType2DArray = 3 } MTLTextureType;
typedef enum { MTLPixelFormatRGBA16Float = 115, MTLPixelFormatRGBA32Float = 125 } MTLPixelFormat;
enum { MTLResourceStorageModeShared = 0 };
typedef NSUInteger MTLResourceOptions;

typedef struct {
    NSUInteger width, height, depth;
} MTLSize;
typedef struct {
    NSUInteger x, y, z;
} MTLOrigin;
typedef struct {
    MTLOrigin origin;
    MTLSize size;
} MTLRegion;
static inline MTLSize MTLSizeMake(NSUInteger width, NSUInteger height, NSUInteger depth) {
    const MTLSize size = {width, height, depth};
    return size;
}
static inline MTLRegion MTLRegionMake2D(NSUInteger x, NSUInteger y, NSUInteger width, NSUInteger height) {
    const MTLRegion region = {{x, y, 0}, {width, height, 1}};
    return region;
}

@protocol MTLDevice;
@class MTLTextureDescriptor;
@protocol MTLTexture <NSObject>
- (NSUInteger)width;
- (NSUInteger)height;
- (NSUInteger)arrayLength;
- (MTLTextureType)textureType;
- (void)replaceRegion:(MTLRegion)region
          mipmapLevel:(NSUInteger)level
                slice:(NSUInteger)slice
            withBytes:(const void *)bytes
          bytesPerRow:(NSUInteger)bytesPerRow
        bytesPerImage:(NSUInteger)bytesPerImage;
- (void)getBytes:(void *)bytes
      bytesPerRow:(NSUInteger)bytesPerRow
    bytesPerImage:(NSUInteger)bytesPerImage
       fromRegion:(MTLRegion)region
      mipmapLevel:(NSUInteger)level
            slice:(NSUInteger)slice;
@end
@protocol MTLBuffer <NSObject>
- (void *)contents;
@end
@protocol MTLFunction <NSObject>
@end
@protocol MTLComputePipelineState <NSObject>
@end
@protocol MTLLibrary <NSObject>
- (id<MTLFunction>)newFunctionWithName:(NSString *)name;
@end
@protocol MTLComputeCommandEncoder <NSObject>
- (id<MTLDevice>)device;
- (void)setComputePipelineState:(id<MTLComputePipelineState>)state;
- (void)setTexture:(id<MTLTexture>)texture atIndex:(NSUInteger)index;
- (void)setBytes:(const void *)bytes length:(NSUInteger)length atIndex:(NSUInteger)index;
- (void)setBuffer:(id<MTLBuffer>)buffer offset:(NSUInteger)offset atIndex:(NSUInteger)index;
- (void)dispatchThreadgroups:(MTLSize)groups threadsPerThreadgroup:(MTLSize)threads;
- (void)endEncoding;
@end
@protocol MTLCommandBuffer <NSObject>
- (id<MTLDevice>)device;
- (id<MTLComputeCommandEncoder>)computeCommandEncoder;
- (void)commit;
- (void)waitUntilCompleted;
@end
@protocol MTLCommandQueue <NSObject>
- (id<MTLCommandBuffer>)commandBuffer;
@end
@protocol MTLDevice <NSObject>
- (id<MTLLibrary>)newDefaultLibraryWithBundle:(NSBundle *)bundle error:(NSError **)error;
- (id<MTLComputePipelineState>)newComputePipelineStateWithFunction:(id<MTLFunction>)function error:(NSError **)error;
- (id<MTLBuffer>)newBufferWithBytes:(const void *)bytes length:(NSUInteger)length options:(MTLResourceOptions)options;
- (id<MTLCommandQueue>)newCommandQueue;
- (id<MTLTexture>)newTextureWithDescriptor:(MTLTextureDescriptor *)descriptor;
@end

@interface MTLTextureDescriptor : NSObject
@property(nonatomic) MTLTextureType textureType;
@property(nonatomic) MTLPixelFormat pixelFormat;
@property(nonatomic) NSUInteger width;
@property(nonatomic) NSUInteger height;
@property(nonatomic) NSUInteger arrayLength;
@property(nonatomic) NSUInteger usage;
@end
enum { MTLTextureUsageShaderRead = 1, MTLTextureUsageShaderWrite = 2 };

extern id<MTLDevice> MTLCreateSystemDefaultDevice(void);
#endif
