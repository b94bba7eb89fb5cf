// A stand-in for Apple's header, written for this project's checks: declarations that RWAlignedResize uses.
#ifndef RW_STUB_MPS_H
#define RW_STUB_MPS_H
#import <Foundation/Foundation.h>
#import <Metal/Metal.h>

@interface MPSImage : NSObject
- (instancetype)initWithTexture:(id<MTLTexture>)texture featureChannels:(NSUInteger)featureChannels;
@end

@interface MPSNNResizeBilinear : NSObject
- (instancetype)initWithDevice:(id<MTLDevice>)device
                   resizeWidth:(NSUInteger)resizeWidth
                  resizeHeight:(NSUInteger)resizeHeight
                  alignCorners:(BOOL)alignCorners;
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                  sourceImage:(MPSImage *)sourceImage
             destinationImage:(MPSImage *)destinationImage;
@end
#endif
