// Stand-ins for Core ML's array and for the part of Metal that the layer calls: a GPU that runs the kernel in C.
#import <CoreML/CoreML.h>
#import <Metal/Metal.h>
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@interface StridedArray : MLMultiArray {
    float *_data;
    NSMutableArray<NSNumber *> *_lengths;
    NSMutableArray<NSNumber *> *_steps;
}
- (instancetype)initWithShape:(const int64_t *)shape strides:(const int64_t *)strides data:(float *)data;
@end

// Four channels per slice, float: pixels[slice][row][column][lane].
@interface FakeTexture : NSObject <MTLTexture> {
    NSUInteger _width, _height, _slices;
    float *_pixels;
}
- (instancetype)initWithWidth:(NSUInteger)width height:(NSUInteger)height slices:(NSUInteger)slices;
- (float *)pixels;
@end

@interface FakeDevice : NSObject <MTLDevice>
@end

@interface FakeCommandBuffer : NSObject <MTLCommandBuffer>
@end
