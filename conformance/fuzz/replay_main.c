/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the files of the directories that are named: the corpus, where there is no
 * fuzzer. Prints how many; fails if there are none. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *directory, const char *name)
{
	static uint8_t data[1 << 20];
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "rb");
	if (!file)
		return 0;
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	return 1;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *directory = opendir(argv[i]);
		struct dirent *entry;
		while (directory && (entry = readdir(directory))) {
			if (entry->d_name[0] != '.')
				count += replay(argv[i], entry->d_name);
		}
		if (directory)
			closedir(directory);
	}
	printf("%d inputs replayed\n", count);
	return count > 0 ? 0 : 1;
}
