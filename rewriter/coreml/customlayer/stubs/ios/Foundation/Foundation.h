// The part of Foundation that RWAlignedResize uses, declared for compiling it to an arm64 object without Apple's SDK.
#ifndef RW_STUB_FOUNDATION_H
#define RW_STUB_FOUNDATION_H

typedef _Bool BOOL;
#define YES ((BOOL)1)
#define NO ((BOOL)0)
#define nil ((id)0)
#ifndef NULL
#define NULL ((void *)0)
#endif
typedef unsigned long NSUInteger;
typedef long NSInteger;
#define NS_ASSUME_NONNULL_BEGIN _Pragma("clang assume_nonnull begin")
#define NS_ASSUME_NONNULL_END _Pragma("clang assume_nonnull end")

@class NSString;
@protocol NSObject
- (BOOL)isKindOfClass:(Class)kind;
@end
__attribute__((objc_root_class)) @interface NSObject <NSObject>
+ (instancetype)alloc;
+ (Class)class;
- (instancetype)init;
@end
@interface NSString : NSObject
- (const char *)UTF8String;
+ (instancetype)stringWithFormat:(NSString *)format, ...;
@end
@interface NSNumber : NSObject
+ (NSNumber *)numberWithLongLong:(long long)value;
- (double)doubleValue;
- (long long)longLongValue;
@end
@interface NSData : NSObject
@end
@interface NSArray<Element> : NSObject
+ (instancetype)arrayWithObject:(Element)object;
- (NSUInteger)count;
- (Element)objectAtIndex:(NSUInteger)index;
- (BOOL)isEqualToArray:(NSArray<Element> *)other;
@end
@interface NSMutableArray<Element> : NSArray <Element>
+ (instancetype)arrayWithArray:(NSArray<Element> *)other;
- (void)replaceObjectAtIndex:(NSUInteger)index withObject:(Element)object;
@end
@interface NSDictionary<Key, Value> : NSObject
+ (instancetype)dictionaryWithObject:(Value)value forKey:(Key)key;
- (Value)objectForKey:(Key)key;
@end
extern NSString *const NSLocalizedDescriptionKey;
@interface NSError : NSObject
+ (instancetype)errorWithDomain:(NSString *)domain code:(NSInteger)code userInfo:(NSDictionary *)info;
@end
@interface NSBundle : NSObject
+ (NSBundle *)bundleForClass:(Class)kind;
@end
#endif
