// A stand-in for Apple's header, written for this project's checks.
#ifndef RW_STUB_XCTEST_H
#define RW_STUB_XCTEST_H
#import <Foundation/Foundation.h>

@interface XCTestCase : NSObject
- (void)recordFailure:(NSString *)message;
@end
#define XCTAssertTrue(condition, ...) ((condition) ? (void)0 : [self recordFailure:[NSString stringWithFormat:__VA_ARGS__]])
#define XCTAssertNotNil(object, ...) XCTAssertTrue((object) != nil, __VA_ARGS__)
#define XCTAssertEqualWithAccuracy(first, second, accuracy, ...)                                                \
    XCTAssertTrue((first) - (second) <= (accuracy) && (second) - (first) <= (accuracy), __VA_ARGS__)
#endif
