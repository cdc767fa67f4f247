/* SPDX-License-Identifier: MIT */
#include "gate/output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_beside(struct xg_output *output)
{
	mode_t mask = umask(0);
	umask(mask);

	if (asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0) {
		output->temporary = NULL;
		return -ENOMEM;
	}
	int fd = mkostemp(output->temporary, O_CLOEXEC);
	if (fd < 0) {
		int rc = -errno;
		free(output->temporary);
		output->temporary = NULL;
		return rc;
	}
	output->file = fdopen(fd, "w");
	if (!output->file || fchmod(fd, 0666 & ~mask) < 0) {
		int rc = -errno;
		if (!output->file)
			close(fd);
		return rc;
	}
	return 0;
}

int xg_output_open(struct xg_output *output, const char *path)
{
	struct stat status;
	int rc = 0;

	*output = (struct xg_output){.path = strdup(path)};
	if (!output->path)
		return -ENOMEM;
	if (strcmp(path, "-") == 0) {
		int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		output->file = fd < 0 ? NULL : fdopen(fd, "w");
	} else if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		output->file = fopen(path, "we");
	} else {
		rc = open_beside(output);
	}
	if (rc == 0 && !output->file)
		rc = errno ? -errno : -ENOMEM;
	if (rc < 0)
		xg_output_drop(output);
	return rc;
}

int xg_output_commit(struct xg_output *output)
{
	int rc = 0;

	if (fflush(output->file) != 0 || ferror(output->file))
		rc = errno ? -errno : -EIO;
	/* Where the disk is remote or allocates late, only this tells whether it has room. */
	if (rc == 0 && output->temporary && fsync(fileno(output->file)) < 0)
		rc = -errno;
	if (fclose(output->file) != 0 && rc == 0)
		rc = -errno;
	output->file = NULL;
	if (rc == 0 && output->temporary) {
		if (rename(output->temporary, output->path) < 0) {
			rc = -errno;
		} else {
			free(output->temporary);
			output->temporary = NULL;
		}
	}
	xg_output_drop(output);
	return rc;
}

void xg_output_drop(struct xg_output *output)
{
	if (output->file)
		fclose(output->file);
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	free(output->path);
	*output = (struct xg_output){0};
}

int xg_output_append(const char *path, const char *line)
{
	size_t size = strlen(line);
	int rc = 0;

	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	/* Two gates may write the same history. */
	if (flock(fd, LOCK_EX) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	off_t before = lseek(fd, 0, SEEK_END);
	ssize_t n = write(fd, line, size);
	if (n < 0)
		rc = -errno;
	else if ((size_t)n < size)
		rc = -ENOSPC;
	else if (fsync(fd) < 0 && errno != EINVAL) /* a pipe or a device cannot be flushed */
		rc = -errno;
	/* Half a line would spoil the next one too. A device has no length to restore. */
	if (rc < 0 && before >= 0 && ftruncate(fd, before) < 0 && errno != EINVAL)
		rc = -EIO;
	close(fd);
	return rc;
}
