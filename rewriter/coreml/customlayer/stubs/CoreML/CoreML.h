// A stand-in for Apple's header, written for this project's checks: declarations that RWAlignedResize uses.
#ifndef RW_STUB_COREML_H
#define RW_STUB_COREML_H
#import <CoreML/MLCustomLayer.h>
#import <CoreML/MLMultiArray.h>
#endif
