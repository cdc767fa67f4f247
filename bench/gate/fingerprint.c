/* SPDX-License-Identifier: MIT */
#include "gate/fingerprint.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define VALUE_MAX 200

/* The first line of @path, without its newline. Return: whether there is one. */
static bool first_line(const char *path, char *ret_line)
{
	FILE *file = fopen(path, "re");
	bool got = false;

	if (!file)
		return false;
	if (fgets(ret_line, VALUE_MAX, file)) {
		ret_line[strcspn(ret_line, "\n")] = '\0';
		got = ret_line[0] != '\0';
	}
	fclose(file);
	return got;
}

static void set_line(json_t *machine, const char *field, const char *path)
{
	char line[VALUE_MAX];

	if (first_line(path, line))
		json_object_set_new(machine, field, json_string(line));
}

/* The first value of @key in a file of "key : value" lines. */
static void set_entry(json_t *machine, const char *field, const char *path, const char *key)
{
	char line[512];
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');
		if (strncmp(line, key, strlen(key)) != 0 || !colon)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		colon[strcspn(colon, "\n")] = '\0';
		json_object_set_new(machine, field, json_stringn(colon, strnlen(colon, VALUE_MAX)));
		break;
	}
	fclose(file);
}

/* "always [madvise] never" says madvise. */
static void set_chosen(json_t *machine, const char *field, const char *path)
{
	char line[VALUE_MAX];

	if (!first_line(path, line))
		return;
	char *from = strchr(line, '['), *to = strchr(line, ']');
	if (!from || !to || to < from)
		return;
	json_object_set_new(machine, field, json_stringn(from + 1, (size_t)(to - from - 1)));
}

json_t *xg_fingerprint(void)
{
	json_t *machine = json_object();
	struct utsname name;
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	if (!machine)
		return NULL;
	if (uname(&name) == 0) {
		json_object_set_new(machine, "arch", json_string(name.machine));
		json_object_set_new(machine, "kernel", json_string(name.release));
	}
	set_entry(machine, "cpu", "/proc/cpuinfo", "model name");
	json_object_set_new(machine, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	if (pages > 0 && page > 0)
		json_object_set_new(machine, "memory_gib",
				    json_integer((json_int_t)pages * page / (1 << 30)));
	set_line(machine, "hypervisor", "/sys/hypervisor/type");
	set_line(machine, "product", "/sys/class/dmi/id/product_name");
	set_line(machine, "clocksource",
		 "/sys/devices/system/clocksource/clocksource0/current_clocksource");
	set_line(machine, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	set_line(machine, "smt", "/sys/devices/system/cpu/smt/active");
	set_chosen(machine, "thp", "/sys/kernel/mm/transparent_hugepage/enabled");
	return machine;
}

static void append_value(char *text, size_t size, const json_t *value)
{
	size_t used = strlen(text);

	if (!value)
		snprintf(text + used, size - used, "(not known)");
	else if (json_is_string(value))
		snprintf(text + used, size - used, "%s", json_string_value(value));
	else
		snprintf(text + used, size - used, "%lld", (long long)json_integer_value(value));
}

static void append_field(char *text, size_t size, const char *key, const json_t *here,
			 const json_t *there)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s: ", used ? "; " : "", key);
	append_value(text, size, here);
	used = strlen(text);
	snprintf(text + used, size - used, ", was ");
	append_value(text, size, there);
}

size_t xg_fingerprint_diff(const json_t *one, const json_t *other, char *ret_text, size_t size)
{
	const char *key;
	json_t *value;
	size_t count = 0;

	ret_text[0] = '\0';
	json_object_foreach((json_t *)(uintptr_t)one, key, value)
	{
		const json_t *there = json_object_get(other, key);
		if (there && json_equal(value, there))
			continue;
		append_field(ret_text, size, key, value, there);
		count++;
	}
	json_object_foreach((json_t *)(uintptr_t)other, key, value)
	{
		if (json_object_get(one, key))
			continue;
		append_field(ret_text, size, key, NULL, value);
		count++;
	}
	return count;
}
