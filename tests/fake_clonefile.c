/* A stand-in for clonefile(2) of macOS, for the tests on other systems.
 *
 * Same signature, same errors, same observable behaviour as the manual page gives it: the target must
 * not exist, directories are cloned with everything below them, all or nothing, attributes and times are
 * the source's, set-id bits of regular files are cleared, the time of the parent stays as it was.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLONE_NOFOLLOW 0x0001
#define CLONE_NOOWNERCOPY 0x0002
#define CLONE_ACL 0x0004
#define CLONE_FLAGS (CLONE_NOFOLLOW | CLONE_NOOWNERCOPY | CLONE_ACL)

static int forced_errno;
static int calls_before_failure;
static int calls;
static uint32_t last_flags;

/* From the call after the next `after` ones on, fail with `number`; 0 heals. */
void fake_clonefile_fail(int number, int after)
{
    forced_errno = number;
    calls_before_failure = after;
}

int fake_clonefile_calls(void)
{
    int before = calls;
    calls = 0;
    return before;
}

uint32_t fake_clonefile_flags(void)
{
    return last_flags;
}

static int clone_entry(int source_dir, const char *source, int target_dir, const char *target, int follow);

static void remove_entry(int directory, const char *name)
{
    int keep = errno;
    if (unlinkat(directory, name, 0) != 0) {
        int handle = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (handle >= 0) {
            fchmod(handle, 0700);
            DIR *listing = fdopendir(handle);
            struct dirent *entry;
            while (listing && (entry = readdir(listing)) != NULL)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                    remove_entry(dirfd(listing), entry->d_name);
            if (listing)
                closedir(listing);
        }
        unlinkat(directory, name, AT_REMOVEDIR);
    }
    errno = keep;
}

static int finish(int handle, const struct stat *status, mode_t mode)
{
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    return fchmod(handle, mode) != 0 || futimens(handle, times) != 0 ? -1 : 0;
}

static int clone_file(int source_dir, const char *source, int target_dir, const char *target,
                      const struct stat *status)
{
    char buffer[65536];
    ssize_t got = 0;
    int from = openat(source_dir, source, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return -1;
    int to = openat(target_dir, target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = to < 0 ? -1 : 0;
    while (result == 0 && (got = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, (size_t)got) != got)
            result = -1;
    if (got < 0)
        result = -1;
    if (result == 0)
        result = finish(to, status, status->st_mode & 01777);
    int keep = errno;
    if (to >= 0)
        close(to);
    close(from);
    errno = keep;
    return result;
}

static int clone_link(int source_dir, const char *source, int target_dir, const char *target,
                      const struct stat *status)
{
    char text[PATH_MAX];
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    ssize_t length = readlinkat(source_dir, source, text, sizeof text - 1);
    if (length < 0)
        return -1;
    text[length] = '\0';
    if (symlinkat(text, target_dir, target) != 0)
        return -1;
    return utimensat(target_dir, target, times, AT_SYMLINK_NOFOLLOW);
}

static int clone_directory(int source_dir, const char *source, int target_dir, const char *target,
                           const struct stat *status)
{
    int from = openat(source_dir, source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0)
        return -1;
    if (mkdirat(target_dir, target, 0700) != 0) {
        int keep = errno;
        close(from);
        errno = keep;
        return -1;
    }
    int to = openat(target_dir, target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fdopendir(from);
    int result = to < 0 || !listing ? -1 : 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(listing)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = clone_entry(from, entry->d_name, to, entry->d_name, 0);
    if (result == 0)
        result = finish(to, status, status->st_mode & 07777);
    int keep = errno;
    if (listing)
        closedir(listing);
    if (to >= 0)
        close(to);
    errno = keep;
    return result;
}

static int clone_entry(int source_dir, const char *source, int target_dir, const char *target, int follow)
{
    struct stat status, existing;
    if (fstatat(source_dir, source, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    if (fstatat(target_dir, target, &existing, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    if (S_ISREG(status.st_mode))
        return clone_file(source_dir, source, target_dir, target, &status);
    if (S_ISLNK(status.st_mode))
        return clone_link(source_dir, source, target_dir, target, &status);
    if (S_ISDIR(status.st_mode))
        return clone_directory(source_dir, source, target_dir, target, &status);
    errno = ENOTSUP;
    return -1;
}

/* Open the directory that `path` lies in, without the last component. */
static int open_parent(int directory, const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof parent) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (!slash)
        strcpy(parent, ".");
    else if (length == 0)
        strcpy(parent, "/");
    else {
        memcpy(parent, path, length);
        parent[length] = '\0';
    }
    return openat(directory, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int clonefileat(int source_dir, const char *source, int target_dir, const char *target, uint32_t flags)
{
    struct stat from, parent;
    int follow = !(flags & CLONE_NOFOLLOW);
    __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    last_flags = flags;
    if (flags & ~(uint32_t)CLONE_FLAGS) {
        errno = EINVAL;
        return -1;
    }
    if (forced_errno && calls_before_failure-- <= 0) {
        errno = forced_errno;
        return -1;
    }
    if (*source == '\0' || *target == '\0') {
        errno = ENOENT;
        return -1;
    }
    if (fstatat(source_dir, source, &from, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    int place = open_parent(target_dir, target);
    if (place < 0)
        return -1;
    int result = fstat(place, &parent);
    if (result == 0 && parent.st_dev != from.st_dev) {
        errno = EXDEV;
        result = -1;
    }
    if (result == 0) {
        const struct timespec times[2] = {parent.st_atim, parent.st_mtim};
        result = clone_entry(source_dir, source, target_dir, target, follow);
        if (result != 0 && errno != EEXIST)
            remove_entry(target_dir, target);
        int keep = errno;
        futimens(place, times);
        errno = keep;
    }
    int keep = errno;
    close(place);
    errno = keep;
    return result;
}

int clonefile(const char *source, const char *target, uint32_t flags)
{
    return clonefileat(AT_FDCWD, source, AT_FDCWD, target, flags);
}
