// Declarations for compiling without Apple's SDK.
#ifndef RW_STUB_STRING_H
#define RW_STUB_STRING_H
int strcmp(const char *first, const char *second);
#endif
