// Declarations for compiling without Apple's SDK.
#ifndef RW_STUB_STDLIB_H
#define RW_STUB_STDLIB_H
typedef __SIZE_TYPE__ size_t;
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *memory);
#ifndef NULL
#define NULL ((void *)0)
#endif
#endif
