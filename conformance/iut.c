/* SPDX-License-Identifier: MIT */
#include "conformance/iut.h"

#include "conformance/subjects/subject.h"

#include <stdlib.h>

#define SUBJECTS_MAX 32

struct xc_iut xc_iut_of(const struct xp_impl *impl)
{
	return (struct xc_iut){
	    .name = impl->name,
	    .kinds = 1u << impl->kind,
	    .scope = impl->scope,
	    .caps = xp_impl_caps(impl),
	    .impl = impl,
	};
}

static struct xc_iut iut_of_subject(const struct xc_subject *subject)
{
	return (struct xc_iut){
	    .name = subject->name,
	    .kinds = XC_KIND_SERVER,
	    .scope = XP_SCOPE_MANAGED,
	    .subject = subject,
	    .peer = subject->python[0] != 0,
	    .version = subject->version[0] ? subject->version : NULL,
	};
}

int xc_iut_all(bool servers, struct xc_iut **ret_iuts)
{
	static struct xc_subject subjects[SUBJECTS_MAX];
	size_t count = 0, subjects_count = 0;

	XP_CATALOG_EACH(impl)
	count++;
	if (servers)
		subjects_count = xc_subject_all(subjects, SUBJECTS_MAX);
	struct xc_iut *iuts = calloc(count + subjects_count + 1, sizeof(*iuts));
	if (!iuts)
		return -ENOMEM;
	count = 0;
	XP_CATALOG_EACH(impl)
	iuts[count++] = xc_iut_of(impl);
	for (size_t i = 0; i < subjects_count; i++)
		iuts[count++] = iut_of_subject(&subjects[i]);
	*ret_iuts = iuts;
	return (int)count;
}
