// Declarations for compiling without Apple's SDK.
#ifndef RW_STUB_MATH_H
#define RW_STUB_MATH_H
double floor(double value);
double ceil(double value);
double fabs(double value);
#endif
