// A stand-in for Apple's header, written for this project's checks.
#ifndef RW_STUB_MLMULTIARRAY_H
#define RW_STUB_MLMULTIARRAY_H
#import <Foundation/Foundation.h>

#ifndef NS_ASSUME_NONNULL_BEGIN
#define NS_ASSUME_NONNULL_BEGIN _Pragma("clang assume_nonnull begin")
#define NS_ASSUME_NONNULL_END _Pragma("clang assume_nonnull end")
#endif

typedef enum {
    MLMultiArrayDataTypeDouble = 0x10000 | 64,
    MLMultiArrayDataTypeFloat32 = 0x10000 | 32,
    MLMultiArrayDataTypeInt32 = 0x20000 | 32
} MLMultiArrayDataType;

NS_ASSUME_NONNULL_BEGIN
@interface MLMultiArray : NSObject
- (nullable instancetype)initWithShape:(NSArray<NSNumber *> *)shape
                              dataType:(MLMultiArrayDataType)dataType
                                 error:(NSError *_Nullable *_Nullable)error;
@property(readonly, nonatomic) void *dataPointer;
@property(readonly, nonatomic) MLMultiArrayDataType dataType;
@property(readonly, nonatomic) NSArray<NSNumber *> *shape;
@property(readonly, nonatomic) NSArray<NSNumber *> *strides;
@property(readonly, nonatomic) NSInteger count;
@end
NS_ASSUME_NONNULL_END
#endif
