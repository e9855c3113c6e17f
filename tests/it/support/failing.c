/* A file system that fails and a clock that leaps, to be put before a service with LD_PRELOAD.
 *
 * SLACKWATER_FAILING names a control file, read at each call, with up to six words:
 *
 *     <error> <folder> <milliseconds> <inode> <from> <to>
 *
 * error: 0, or the errno with which everything that writes below the folder fails (28 ENOSPC, 5 EIO). With 1000 added to
 * it, only fsync fails: what was written is there, and must not be trusted. The clock of the day is ahead by so many
 * milliseconds (behind, if negative). Of the file with this inode (0 for none) the bytes from `from` up to `to` cannot be read:
 * EIO. What is written in its place under its name can. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct control {
    int error;
    char folder[PATH_MAX];
    long long ahead_ms;
    unsigned long long inode, from, to;
};

/* By system calls, not by the functions below. */
static struct control control(void) {
    struct control is = {0, "", 0, 0, 0, 0};
    const char *file = getenv("SLACKWATER_FAILING");
    if (!file) return is;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return is;
    char text[PATH_MAX + 64];
    ssize_t read = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (read <= 0) return is;
    text[read] = 0;
    sscanf(text, "%d %4095s %lld %llu %llu %llu", &is.error, is.folder, &is.ahead_ms, &is.inode, &is.from, &is.to);
    return is;
}

static int below(const char *path, const struct control *is) {
    size_t length = strlen(is->folder);
    return length && !strncmp(path, is->folder, length);
}

/* The errno to fail with, or 0. */
static int failing(int fd, int is_sync) {
    int before = errno;
    struct control is = control();
    int error = is.error;
    if (1000 <= error) error = is_sync ? error - 1000 : 0;
    if (error) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        path[length < 0 ? 0 : length] = 0;
        if (!below(path, &is)) error = 0;
    }
    errno = before;
    return error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(fd, is_sync)                  \
    do {                                      \
        int error = failing((fd), (is_sync)); \
        if (error) {                          \
            errno = error;                    \
            return -1;                        \
        }                                     \
    } while (0)

ssize_t read(int fd, void *bytes, size_t length) {
    int before = errno;
    struct control is = control();
    struct stat file;
    if (is.inode && !fstat(fd, &file) && (unsigned long long)file.st_ino == is.inode) {
        unsigned long long at = (unsigned long long)lseek(fd, 0, SEEK_CUR);
        if (is.from <= at && at < is.to) {
            errno = EIO;
            return -1;
        }
        if (at < is.from && is.from < at + length) length = is.from - at;
    }
    errno = before;
    return REAL(read)(fd, bytes, length);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    FAIL_IF(fd, 0);
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    FAIL_IF(fd, 0);
    return REAL(pwrite)(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    FAIL_IF(fd, 0);
    return REAL(pwrite64)(fd, bytes, length, at);
}

int ftruncate64(int fd, off64_t length) {
    FAIL_IF(fd, 0);
    return REAL(ftruncate64)(fd, length);
}

int fsync(int fd) {
    FAIL_IF(fd, 1);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    FAIL_IF(fd, 1);
    return REAL(fdatasync)(fd);
}

int sync_file_range(int fd, off64_t from, off64_t length, unsigned flags) {
    FAIL_IF(fd, 1);
    return REAL(sync_file_range)(fd, from, length, flags);
}

int clock_gettime(clockid_t which, struct timespec *at) {
    if (syscall(SYS_clock_gettime, which, at)) return -1;
    if (which == CLOCK_REALTIME) {
        int before = errno;
        long long ahead_ms = control().ahead_ms;
        errno = before;
        at->tv_sec += ahead_ms / 1000;
        at->tv_nsec += (ahead_ms % 1000) * 1000000;
        if (at->tv_nsec < 0) at->tv_nsec += 1000000000, at->tv_sec--;
        if (1000000000 <= at->tv_nsec) at->tv_nsec -= 1000000000, at->tv_sec++;
    }
    return 0;
}
