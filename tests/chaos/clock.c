/* Moves the wall clock of a process, and nothing else of its time: preload it (LD_PRELOAD).
 *
 * The file that CHAOS_CLOCK names holds one 64-bit number: the seconds to add. It is mapped, so a
 * jump reaches every process at once, through any number of forks. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *seconds;
static int (*true_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void map_offset(void)
{
    int file = open(getenv("CHAOS_CLOCK"), O_RDONLY);
    void *page = mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
    if (file < 0 || page == MAP_FAILED)
        abort();
    close(file);
    seconds = page;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (true_clock == NULL)
        true_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = true_clock(clock, now);
    if (seconds != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *seconds;
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec moved;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &moved);
    now->tv_sec = moved.tv_sec;
    now->tv_usec = moved.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where)
{
    struct timespec moved;
    clock_gettime(CLOCK_REALTIME, &moved);
    if (where != NULL)
        *where = moved.tv_sec;
    return moved.tv_sec;
}
