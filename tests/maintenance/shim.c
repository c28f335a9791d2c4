/*
 * Stands between a process and the C library, and lets a file operation below one directory fail, or kills the process
 * there.  It is loaded with LD_PRELOAD; who has loaded it arms it through the functions at the end.
 *
 * Operations are counted from 1, those alone that are of the kinds asked for.  One that fails is not done.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Kinds of operations, as a caller adds them up. */
enum { CHANGES = 1, TAKES = 2, LOOKS = 4, READS = 8, WRITES = 16 };

static char root[PATH_MAX];
static size_t root_size;
static int armed, kinds, fault, lasting, noting = -1;
static long wanted;
static atomic_long count;

static int below(const char *path) {
    return strncmp(path, root, root_size) == 0 && (path[root_size] == '/' || path[root_size] == '\0');
}

static int of_descriptor(int descriptor, char *path) {
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(name, path, PATH_MAX - 1);
    if (size < 0) return 0;
    path[size] = '\0';
    return below(path);
}

/* Whether what is named is below the directory; where it lies is written to `full`. */
static int concerns(int directory, const char *path, char *full) {
    if (path == NULL) return of_descriptor(directory, full);
    if (path[0] == '/') {
        snprintf(full, PATH_MAX, "%s", path);
        return below(path);
    }
    if (directory == AT_FDCWD) {
        if (getcwd(full, PATH_MAX) == NULL || !below(full)) return 0;
    } else if (!of_descriptor(directory, full)) {
        return 0;
    }
    size_t size = strlen(full);
    snprintf(full + size, PATH_MAX - size, "/%s", path);
    return 1;
}

static void note(const char *name, const char *path) {
    char line[PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%s %s\n", name, path);
    syscall(SYS_write, noting, line, (size_t)size);
}

/* Whether the operation is the one: 0 where it is to be done, -1 where it is to be half done, else how it fails. */
static int struck(int kind, const char *name, int directory, const char *path, const char *other) {
    char full[PATH_MAX];
    if (!armed || !(kind & kinds)) return 0;
    int saved = errno;
    if (!concerns(directory, path, full) && !(other != NULL && concerns(AT_FDCWD, other, full))) {
        errno = saved;
        return 0;
    }
    long number = atomic_fetch_add(&count, 1) + 1;
    int hit = number == wanted || (lasting && number > wanted);
    if (noting >= 0 && (wanted == 0 || number == wanted)) note(name, full);
    errno = saved;
    if (!hit || wanted == 0) return 0;
    if (fault > 0) return fault;
    if (fault == 0) syscall(SYS_kill, getpid(), SIGKILL);
    return -1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define FAIL(value, kind, name, directory, path, other) \
    do { \
        int how = struck(kind, name, directory, path, other); \
        if (how > 0) { \
            errno = how; \
            return value; \
        } \
    } while (0)

static int kind_of(int flags) {
    return flags & (O_CREAT | O_TRUNC) ? CHANGES | TAKES : LOOKS;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        int mode = va_arg(more, int); \
        va_end(more); \
        REAL(int, #name, const char *, int, ...); \
        FAIL(-1, kind_of(flags), "open", AT_FDCWD, path, NULL); \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int directory, const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        int mode = va_arg(more, int); \
        va_end(more); \
        REAL(int, #name, int, const char *, int, ...); \
        FAIL(-1, kind_of(flags), "open", directory, path, NULL); \
        return real(directory, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

/* What is built with checks of its arguments calls these. */
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }
int __openat_2(int directory, const char *path, int flags) { return openat(directory, path, flags); }
int __openat64_2(int directory, const char *path, int flags) { return openat64(directory, path, flags); }

DIR *opendir(const char *path) {
    REAL(DIR *, "opendir", const char *);
    FAIL(NULL, LOOKS, "open", AT_FDCWD, path, NULL);
    return real(path);
}

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int how = struck(CHANGES | TAKES | WRITES, "write", descriptor, NULL, NULL);
    if (how > 0) {
        errno = how;
        return -1;
    }
    if (how < 0) { /* a part of it has come to the disk */
        real(descriptor, data, size / 2);
        syscall(SYS_kill, getpid(), SIGKILL);
    }
    return real(descriptor, data, size);
}

#define PWRITE(name) \
    ssize_t name(int descriptor, const void *data, size_t size, off64_t at) { \
        REAL(ssize_t, #name, int, const void *, size_t, off64_t); \
        int how = struck(CHANGES | TAKES | WRITES, "pwrite64", descriptor, NULL, NULL); \
        if (how > 0) { \
            errno = how; \
            return -1; \
        } \
        if (how < 0) { \
            real(descriptor, data, size / 2, at); \
            syscall(SYS_kill, getpid(), SIGKILL); \
        } \
        return real(descriptor, data, size, at); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int descriptor, const struct iovec *parts, int number) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    FAIL(-1, CHANGES | TAKES, "writev", descriptor, NULL, NULL);
    return real(descriptor, parts, number);
}

ssize_t read(int descriptor, void *data, size_t size) {
    REAL(ssize_t, "read", int, void *, size_t);
    FAIL(-1, READS, "read", descriptor, NULL, NULL);
    return real(descriptor, data, size);
}

#define PREAD(name) \
    ssize_t name(int descriptor, void *data, size_t size, off64_t at) { \
        REAL(ssize_t, #name, int, void *, size_t, off64_t); \
        FAIL(-1, READS, "pread64", descriptor, NULL, NULL); \
        return real(descriptor, data, size, at); \
    }
PREAD(pread)
PREAD(pread64)

/* Those of two paths, and of one; with and without the directories that these are relative to. */
#define TWO(name, called) \
    int name(const char *one, const char *two) { \
        REAL(int, #name, const char *, const char *); \
        FAIL(-1, CHANGES | TAKES, called, AT_FDCWD, one, two); \
        return real(one, two); \
    }
TWO(rename, "rename")
TWO(link, "link")

int symlink(const char *target, const char *path) {
    REAL(int, "symlink", const char *, const char *);
    FAIL(-1, CHANGES | TAKES, "symlink", AT_FDCWD, path, NULL);
    return real(target, path);
}

int symlinkat(const char *target, int directory, const char *path) {
    REAL(int, "symlinkat", const char *, int, const char *);
    FAIL(-1, CHANGES | TAKES, "symlink", directory, path, NULL);
    return real(target, directory, path);
}

int renameat(int first, const char *one, int second, const char *two) {
    REAL(int, "renameat", int, const char *, int, const char *);
    FAIL(-1, CHANGES | TAKES, "rename", first, one, NULL);
    return real(first, one, second, two);
}

int renameat2(int first, const char *one, int second, const char *two, unsigned flags) {
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
    FAIL(-1, CHANGES | TAKES, "rename", first, one, NULL);
    return real(first, one, second, two, flags);
}

int linkat(int first, const char *one, int second, const char *two, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    FAIL(-1, CHANGES | TAKES, "link", first, one, two);
    return real(first, one, second, two, flags);
}

#define ONE(name, called, kind) \
    int name(const char *path) { \
        REAL(int, #name, const char *); \
        FAIL(-1, kind, called, AT_FDCWD, path, NULL); \
        return real(path); \
    }
ONE(unlink, "unlink", CHANGES)
ONE(rmdir, "rmdir", CHANGES)

int unlinkat(int directory, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    FAIL(-1, CHANGES, flags & AT_REMOVEDIR ? "rmdir" : "unlink", directory, path, NULL);
    return real(directory, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    FAIL(-1, CHANGES | TAKES, "mkdir", AT_FDCWD, path, NULL);
    return real(path, mode);
}

int mkdirat(int directory, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    FAIL(-1, CHANGES | TAKES, "mkdir", directory, path, NULL);
    return real(directory, path, mode);
}

int chmod(const char *path, mode_t mode) {
    REAL(int, "chmod", const char *, mode_t);
    FAIL(-1, CHANGES, "chmod", AT_FDCWD, path, NULL);
    return real(path, mode);
}

int fchmod(int descriptor, mode_t mode) {
    REAL(int, "fchmod", int, mode_t);
    FAIL(-1, CHANGES, "chmod", descriptor, NULL, NULL);
    return real(descriptor, mode);
}

int fchmodat(int directory, const char *path, mode_t mode, int flags) {
    REAL(int, "fchmodat", int, const char *, mode_t, int);
    FAIL(-1, CHANGES, "chmod", directory, path, NULL);
    return real(directory, path, mode, flags);
}

int utimensat(int directory, const char *path, const struct timespec times[2], int flags) {
    REAL(int, "utimensat", int, const char *, const struct timespec *, int);
    FAIL(-1, CHANGES, "utimensat", directory, path, NULL);
    return real(directory, path, times, flags);
}

int futimens(int descriptor, const struct timespec times[2]) {
    REAL(int, "futimens", int, const struct timespec *);
    FAIL(-1, CHANGES, "utimensat", descriptor, NULL, NULL);
    return real(descriptor, times);
}

#define CHOWN(name) \
    int name(const char *path, uid_t user, gid_t group) { \
        REAL(int, #name, const char *, uid_t, gid_t); \
        FAIL(-1, CHANGES, "chown", AT_FDCWD, path, NULL); \
        return real(path, user, group); \
    }
CHOWN(chown)
CHOWN(lchown)

int fchown(int descriptor, uid_t user, gid_t group) {
    REAL(int, "fchown", int, uid_t, gid_t);
    FAIL(-1, CHANGES, "chown", descriptor, NULL, NULL);
    return real(descriptor, user, group);
}

#define SYNC(name) \
    int name(int descriptor) { \
        REAL(int, #name, int); \
        FAIL(-1, CHANGES | TAKES, #name, descriptor, NULL, NULL); \
        return real(descriptor); \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name) \
    int name(int descriptor, off64_t size) { \
        REAL(int, #name, int, off64_t); \
        FAIL(-1, CHANGES | TAKES, "ftruncate", descriptor, NULL, NULL); \
        return real(descriptor, size); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define TRUNCATE_AT(name) \
    int name(const char *path, off64_t size) { \
        REAL(int, #name, const char *, off64_t); \
        FAIL(-1, CHANGES | TAKES, "truncate", AT_FDCWD, path, NULL); \
        return real(path, size); \
    }
TRUNCATE_AT(truncate)
TRUNCATE_AT(truncate64)

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
    FAIL(-1, CHANGES | TAKES, "copy_file_range", out, NULL, NULL);
    return real(in, from, out, to, size, flags);
}

#define SENDFILE(name) \
    ssize_t name(int out, int in, off64_t *from, size_t size) { \
        REAL(ssize_t, #name, int, int, off64_t *, size_t); \
        FAIL(-1, CHANGES | TAKES, "sendfile", out, NULL, NULL); \
        return real(out, in, from, size); \
    }
SENDFILE(sendfile)
SENDFILE(sendfile64)

int flock(int descriptor, int operation) {
    REAL(int, "flock", int, int);
    if (operation != LOCK_UN) FAIL(-1, LOOKS, "flock", descriptor, NULL, NULL);
    return real(descriptor, operation);
}

static int locks(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

#define FCNTL(name) \
    int name(int descriptor, int command, ...) { \
        va_list more; \
        va_start(more, command); \
        void *argument = va_arg(more, void *); \
        va_end(more); \
        REAL(int, #name, int, int, ...); \
        if (locks(command) && ((struct flock *)argument)->l_type != F_UNLCK) \
            FAIL(-1, LOOKS, "fcntl", descriptor, NULL, NULL); \
        return real(descriptor, command, argument); \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/*
 * Arm this process.
 *
 * directory: absolute path, real; operations elsewhere are none.
 * which: kinds of operations, added up.
 * number: of the operation; 0 only counts.
 * how: 0 kills, -1 kills when half of a write has been done, else what errno becomes.
 * on: whether all that come after it fail, too.
 * log: descriptor that the name and path of the operation are written to, or of each where only counted; -1 for none.
 */
void faults_arm(const char *directory, int which, long number, int how, int on, int log) {
    snprintf(root, sizeof root, "%s", directory);
    root_size = strlen(root);
    kinds = which;
    wanted = number;
    fault = how;
    lasting = on;
    noting = log;
    atomic_store(&count, 0);
    armed = 1;
}

/* Leave out what this process does until it is called with 0: it stands for what another process would do. */
void faults_pause(int paused) { armed = !paused; }

/* Disarm this process and return how many operations there were. */
long faults_disarm(void) {
    armed = 0;
    return atomic_load(&count);
}
