/* LD_PRELOADed into a test's server: a malloc that fails when hooks.c says so. Of glibc. */
#include <stddef.h>
#include <errno.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

/* Which allocation from now on fails, once: 0 for none. How many were made, for the end of a sweep. */
volatile long fault_malloc_at = 0;

static int
fails(void)
{
	if (fault_malloc_at <= 0 || --fault_malloc_at > 0)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

int
posix_memalign(void **place, size_t align, size_t size)
{
	if (fails())
		return ENOMEM;
	*place = __libc_memalign(align, size);
	return *place ? 0 : ENOMEM;
}
