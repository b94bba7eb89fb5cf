// A Core ML custom layer that resizes the last two axes with exact sampling positions.
//
// Parameters (all written by the converter):
//   kind             "nearest", "linear", "cubic"
//   coordinates      "align_corners", "half_pixel", "pytorch_half_pixel", "asymmetric", "tf_half_pixel_for_nn"
//   rounding         "floor", "ceil", "round_prefer_floor", "round_prefer_ceil"
//   cubic_a          coefficient of the cubic kernel
//   exclude_outside  drop taps outside of the input and renormalise
//   antialias        stretch the kernel where the image shrinks
//   target_height, target_width   output lengths; 0: floor(input length * scale)
//   scale_height, scale_width     scale in the coordinate formula; 0: output length / input length

#import <CoreML/CoreML.h>
#import <Foundation/Foundation.h>

#include "rw_resize.h"

@protocol MTLComputePipelineState;
@protocol MTLDevice;

NS_ASSUME_NONNULL_BEGIN

extern NSString *const RWAlignedResizeErrorDomain;

@interface RWAlignedResize : NSObject <MLCustomLayer> {
  @private
    rw_mode _mode;
    int64_t _targetHeight;
    int64_t _targetWidth;
    double _scaleHeight;
    double _scaleWidth;
    id<MTLComputePipelineState> _pipeline; // of the last device and kind of texture
    id<MTLDevice> _pipelineDevice;
    BOOL _pipelineIsForArrays;
}

// Whether encodeToCommandBuffer uses MPSNNResizeBilinear(alignCorners: YES) where its documentation says that it
// samples what is wanted; otherwise it uses the project's own kernel everywhere. YES unless set.
+ (BOOL)usesPerformanceShaders;
+ (void)setUsesPerformanceShaders:(BOOL)uses;

@end

NS_ASSUME_NONNULL_END
