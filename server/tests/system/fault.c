/* A disk with faults, to be loaded before the C library (LD_PRELOAD).
 *
 * $KOSHIN_FAULT names a file. While it exists it has one line "CALL SUFFIX ERRNO", and each such call on a file whose name ends
 * with the suffix fails with that number. CALL is fsync (fdatasync, too) or write (any kind of). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int faulty(const char *call, int fd) {
    char order[256], link[64], name[4096], wanted[16], suffix[128];
    int number, saved = errno;
    const char *path = getenv("KOSHIN_FAULT");
    int file = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
    if (file < 0) {
        errno = saved;
        return 0;
    }
    ssize_t length = syscall(SYS_read, file, order, sizeof order - 1);
    syscall(SYS_close, file);
    order[length < 0 ? 0 : length] = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t named = syscall(SYS_readlinkat, AT_FDCWD, link, name, sizeof name - 1);
    name[named < 0 ? 0 : named] = 0;
    errno = saved;
    if (sscanf(order, "%15s %127s %d", wanted, suffix, &number) != 3 || strcmp(wanted, call))
        return 0;
    size_t whole = strlen(name), end = strlen(suffix);
    if (whole < end || strcmp(name + whole - end, suffix))
        return 0;
    errno = number;
    return 1;
}

int fsync(int fd) { return faulty("fsync", fd) ? -1 : syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return faulty("fsync", fd) ? -1 : syscall(SYS_fdatasync, fd); }

ssize_t write(int fd, const void *data, size_t size) {
    return faulty("write", fd) ? -1 : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return faulty("write", fd) ? -1 : syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }
