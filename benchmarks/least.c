/* Puts unpacked wheels into a directory with as few system calls as the job allows.
 *
 *     least MODE THREADS DESTINATION WHEEL...      MODE: hardlink clone symlink copy
 *
 * The yardstick of the benchmarks: no staging, no rollback, no report. Threads share
 * one stack of directories, so that one huge wheel keeps all of them busy. WHEEL must
 * be absolute for symlinks to resolve. The umask is set to 0, hence the mode given to
 * openat() is the final one and clones and copies need no fchmod().
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };

struct task {
	struct task *next;
	char *destination; /* relative to the destination directory */
	char source[];
};

struct entry {
	const struct task *task;
	const char *name;
	int from;
	int to;
};

typedef int (*put_function)(const struct entry *);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct task *stack;
static int busy;
static int root;
static put_function put;

static void fail(const char *what, const char *directory, const char *name)
{
	fprintf(stderr, "least: %s %s/%s: %s\n", what, directory, name, strerror(errno));
	_exit(1);
}

static struct task *new_task(const char *source, const char *destination,
			     const char *name)
{
	size_t first = strlen(source), second = strlen(destination), third = strlen(name);
	struct task *task = malloc(sizeof *task + first + second + 2 * third + 4);

	if (!task)
		fail("malloc", source, name);
	memcpy(task->source, source, first + 1);
	task->destination = task->source + first + third + 2;
	memcpy(task->destination, destination, second + 1);
	if (third) {
		task->source[first] = '/';
		memcpy(task->source + first + 1, name, third + 1);
		task->destination[second] = '/';
		memcpy(task->destination + second + 1, name, third + 1);
	}
	return task;
}

/* One way per mode to put a file: 0, or -1 with errno (EEXIST is tried again). */

static int put_hardlink(const struct entry *entry)
{
	return linkat(entry->from, entry->name, entry->to, entry->name, 0);
}

static int put_symlink(const struct entry *entry)
{
	char target[4096];
	int length = snprintf(target, sizeof target, "%s/%s", entry->task->source,
			      entry->name);

	if (length >= (int)sizeof target) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return symlinkat(target, entry->to, entry->name);
}

static int open_pair(const struct entry *entry, int *from, off_t *size)
{
	struct stat status;
	int to;

	*from = openat(entry->from, entry->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*from < 0 || fstat(*from, &status) < 0)
		fail("open", entry->task->source, entry->name);
	*size = status.st_size;
	to = openat(entry->to, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    status.st_mode & 0777);
	if (to < 0 && errno == EEXIST) {
		close(*from);
		errno = EEXIST;
	} else if (to < 0) {
		fail("create", entry->task->destination, entry->name);
	}
	return to;
}

static int put_clone(const struct entry *entry)
{
	off_t size;
	int from, to = open_pair(entry, &from, &size);

	if (to < 0)
		return -1;
	if (ioctl(to, FICLONE, from) < 0)
		fail("clone", entry->task->source, entry->name);
	close(to);
	close(from);
	return 0;
}

static int read_and_write(int from, int to)
{
	static _Thread_local char buffer[BUFFER];
	ssize_t got, done, wrote;

	while ((got = read(from, buffer, sizeof buffer)) > 0)
		for (done = 0; done < got; done += wrote)
			if ((wrote = write(to, buffer + done, got - done)) < 0)
				return -1;
	return got < 0 ? -1 : 0;
}

static int copy_bytes(int from, int to, off_t size)
{
	ssize_t copied;

	while (size > 0) {
		copied = copy_file_range(from, NULL, to, NULL, size, 0);
		if (copied < 0 && (errno == EXDEV || errno == ENOSYS ||
				   errno == EINVAL || errno == EOPNOTSUPP))
			return read_and_write(from, to);
		if (copied < 0)
			return -1;
		if (copied == 0)
			break;
		size -= copied;
	}
	return 0;
}

static int put_copy(const struct entry *entry)
{
	off_t size;
	int from, to = open_pair(entry, &from, &size);

	if (to < 0)
		return -1;
	if (copy_bytes(from, to, size) < 0)
		fail("copy", entry->task->source, entry->name);
	close(to);
	close(from);
	return 0;
}

static int put_inner_symlink(const struct entry *entry)
{
	char target[4096];
	ssize_t length = readlinkat(entry->from, entry->name, target, sizeof target - 1);

	if (length < 0)
		fail("readlink", entry->task->source, entry->name);
	target[length] = '\0';
	return symlinkat(target, entry->to, entry->name);
}

static void replace(const struct entry *entry, put_function how)
{
	if (how(entry) == 0)
		return;
	if (errno == EEXIST && unlinkat(entry->to, entry->name, 0) == 0 && how(entry) == 0)
		return;
	fail("put", entry->task->destination, entry->name);
}

static unsigned char kind_of(const struct dirent *item, const struct entry *entry)
{
	struct stat status;

	if (item->d_type != DT_UNKNOWN)
		return item->d_type;
	if (fstatat(entry->from, entry->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		fail("stat", entry->task->source, entry->name);
	return IFTODT(status.st_mode);
}

static struct task *put_entry(const struct entry *entry, unsigned char kind)
{
	if (kind == DT_REG) {
		replace(entry, put);
	} else if (kind == DT_LNK) {
		replace(entry, put_inner_symlink);
	} else if (kind == DT_DIR) {
		if (mkdirat(entry->to, entry->name, 0755) < 0 && errno != EEXIST)
			fail("mkdir", entry->task->destination, entry->name);
		return new_task(entry->task->source, entry->task->destination, entry->name);
	} else {
		errno = EINVAL;
		fail("not a file", entry->task->source, entry->name);
	}
	return NULL;
}

/* Puts one directory's files; returns its subdirectories as a list. */
static struct task *put_directory(const struct task *task)
{
	struct entry entry = {.task = task};
	struct task *children = NULL, *child;
	struct dirent *item;
	DIR *listing;

	entry.from = open(task->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (entry.from < 0 || !(listing = fdopendir(entry.from)))
		fail("open", task->source, "");
	entry.to = openat(root, task->destination, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (entry.to < 0)
		fail("open", task->destination, "");
	while (errno = 0, (item = readdir(listing))) {
		entry.name = item->d_name;
		if (!strcmp(entry.name, ".") || !strcmp(entry.name, ".."))
			continue;
		child = put_entry(&entry, kind_of(item, &entry));
		if (child) {
			child->next = children;
			children = child;
		}
	}
	if (errno)
		fail("list", task->source, "");
	close(entry.to);
	closedir(listing);
	return children;
}

/* Takes a task when there is one, waits while others may still add some. */
static struct task *take(void)
{
	struct task *task;

	pthread_mutex_lock(&mutex);
	while (!stack && busy)
		pthread_cond_wait(&changed, &mutex);
	task = stack;
	if (task) {
		stack = task->next;
		busy++;
	}
	pthread_mutex_unlock(&mutex);
	return task;
}

static void give(struct task *children)
{
	struct task *last = children;

	while (last && last->next)
		last = last->next;
	pthread_mutex_lock(&mutex);
	if (last) {
		last->next = stack;
		stack = children;
	}
	busy--;
	if (last || !busy)
		pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void *work(void *unused)
{
	struct task *task;

	while ((task = take())) {
		give(put_directory(task));
		free(task);
	}
	return unused;
}

static put_function mode_named(const char *name)
{
	if (!strcmp(name, "hardlink"))
		return put_hardlink;
	if (!strcmp(name, "clone"))
		return put_clone;
	if (!strcmp(name, "symlink"))
		return put_symlink;
	if (!strcmp(name, "copy"))
		return put_copy;
	return NULL;
}

static void run(int threads)
{
	pthread_t ids[threads];

	for (int i = 1; i < threads; i++)
		if ((errno = pthread_create(&ids[i], NULL, work, NULL)))
			fail("thread", "", "");
	work(NULL);
	for (int i = 1; i < threads; i++)
		pthread_join(ids[i], NULL);
}

int main(int count, char **words)
{
	int threads = count > 4 ? atoi(words[2]) : 0;
	struct task *task;

	if (threads < 1 || threads > 256 || !(put = mode_named(words[1]))) {
		fprintf(stderr, "usage: least hardlink|clone|symlink|copy THREADS "
				"DESTINATION WHEEL...\n");
		return 2;
	}
	umask(0);
	root = open(words[3], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		fail("open", words[3], "");
	for (int i = count - 1; i >= 4; i--) {
		task = new_task(words[i], ".", "");
		task->next = stack;
		stack = task;
	}
	run(threads);
	return 0;
}
