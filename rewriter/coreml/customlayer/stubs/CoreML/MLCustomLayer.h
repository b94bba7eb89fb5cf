// A stand-in for Apple's header, written for this project's checks from the protocol's documentation.
#ifndef RW_STUB_MLCUSTOMLAYER_H
#define RW_STUB_MLCUSTOMLAYER_H
#import <CoreML/MLMultiArray.h>
#import <Foundation/Foundation.h>

@protocol MTLCommandBuffer;
@protocol MTLTexture;

NS_ASSUME_NONNULL_BEGIN
@protocol MLCustomLayer
@required
- (nullable instancetype)initWithParameterDictionary:(NSDictionary<NSString *, id> *)parameters
                                               error:(NSError *_Nullable *_Nullable)error;
- (BOOL)setWeightData:(NSArray<NSData *> *)weights error:(NSError *_Nullable *_Nullable)error;
- (nullable NSArray<NSArray<NSNumber *> *> *)outputShapesForInputShapes:(NSArray<NSArray<NSNumber *> *> *)inputShapes
                                                                  error:(NSError *_Nullable *_Nullable)error;
- (BOOL)evaluateOnCPUWithInputs:(NSArray<MLMultiArray *> *)inputs
                        outputs:(NSArray<MLMultiArray *> *)outputs
                          error:(NSError *_Nullable *_Nullable)error;
@optional
- (BOOL)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                       inputs:(NSArray<id<MTLTexture>> *)inputs
                      outputs:(NSArray<id<MTLTexture>> *)outputs
                        error:(NSError *_Nullable *_Nullable)error;
@end
NS_ASSUME_NONNULL_END
#endif
