/* SPDX-License-Identifier: MIT */
#include "xpshare/rpc/auth.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CHALLENGE "#CHALLENGE#"
#define WELCOME	  "#WELCOME#"
#define FAILURE	  "#FAILURE#"

#define CHALLENGE_SIZE (sizeof(CHALLENGE) - 1)
#define VERDICT_SIZE   (sizeof(WELCOME) - 1)
#define LEGACY_RANDOM  20 /* bytes of a challenge before 3.12 */
#define LEGACY_ANSWER  16 /* bytes of a bare HMAC-MD5 */
#define MODERN_RANDOM  40

_Static_assert(sizeof(FAILURE) == sizeof(WELCOME), "both verdicts are compared by one length");

enum state { AWAIT_ANSWER, AWAIT_CHALLENGE, AWAIT_VERDICT, DONE, FAILED };

/* In the order in which we prefer to ask for them. */
static const struct digest {
	enum xp_auth_digest bit;
	const char *prefix;
	const EVP_MD *(*method)(void);
	unsigned size;
} digests[] = {
    {XP_AUTH_SHA256, "{sha256}", EVP_sha256, 32},
    {XP_AUTH_SHA384, "{sha384}", EVP_sha384, 48},
    {XP_AUTH_SHA3_256, "{sha3_256}", EVP_sha3_256, 32},
    {XP_AUTH_SHA3_384, "{sha3_384}", EVP_sha3_384, 48},
    {XP_AUTH_MD5, "{md5}", EVP_md5, LEGACY_ANSWER},
};
#define DIGESTS (sizeof(digests) / sizeof(*digests))
static const struct digest *const legacy = &digests[DIGESTS - 1];

/* The digest that @text names in braces; NULL for none. */
static const struct digest *digest_of(const unsigned char *text, size_t size)
{
	for (size_t i = 0; i < DIGESTS; i++) {
		size_t length = strlen(digests[i].prefix);
		if (size >= length && !memcmp(text, digests[i].prefix, length))
			return &digests[i];
	}
	return NULL;
}

/* ---- authentication codes ---------------------------------------------------------------------- */

/* What a thread has made so far: to make one takes four times as long as to use it. */
struct contexts {
	EVP_MAC_CTX *of[DIGESTS];
};

static pthread_key_t contexts_key;
static bool contexts_kept;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void contexts_free(void *argument)
{
	struct contexts *contexts = argument;

	for (size_t i = 0; contexts && i < DIGESTS; i++)
		EVP_MAC_CTX_free(contexts->of[i]);
	free(contexts);
}

static void contexts_init(void)
{
	contexts_kept = pthread_key_create(&contexts_key, contexts_free) == 0;
}

/* The calling thread's; NULL: there is no memory for them. */
static struct contexts *contexts_get(void)
{
	pthread_once(&contexts_once, contexts_init);
	if (!contexts_kept)
		return NULL;
	struct contexts *contexts = pthread_getspecific(contexts_key);

	if (contexts)
		return contexts;
	contexts = calloc(1, sizeof(*contexts));
	if (contexts && pthread_setspecific(contexts_key, contexts) != 0) {
		free(contexts);
		return NULL;
	}
	return contexts;
}

static EVP_MAC_CTX *context_make(const struct digest *digest)
{
	char *name = (char *)(uintptr_t)EVP_MD_get0_name(digest->method());
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
	    OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;

	EVP_MAC_free(hmac); /* the context has a reference of its own */
	if (context && !EVP_MAC_CTX_set_params(context, params)) {
		EVP_MAC_CTX_free(context);
		context = NULL;
	}
	return context;
}

static int mac(const struct xp_auth *auth, const struct digest *digest, const void *message,
	       size_t size, unsigned char ret_mac[EVP_MAX_MD_SIZE])
{
	struct contexts *contexts = contexts_get();
	const void *key = auth->key_size > 0 ? auth->key : "";
	size_t length;

	if (!contexts || auth->key_size > INT_MAX)
		return -EIO;
	EVP_MAC_CTX **context = &contexts->of[digest - digests];

	if (!*context)
		*context = context_make(digest);
	if (!*context || !EVP_MAC_init(*context, key, auth->key_size, NULL) ||
	    !EVP_MAC_update(*context, message, size) ||
	    !EVP_MAC_final(*context, ret_mac, &length, EVP_MAX_MD_SIZE))
		return -EIO;
	xp_assert(length == digest->size);
	return 0;
}

/* ---- the exchange ------------------------------------------------------------------------------ */

static int fail(struct xp_auth *auth, int err, const char *why)
{
	auth->state = FAILED;
	auth->why = why;
	return err;
}

static void say(unsigned char *reply, size_t *ret_size, const char *text)
{
	*ret_size = strlen(text);
	memcpy(reply, text, *ret_size);
}

/* Send our challenge, in the form that suits every version. */
static int challenge(struct xp_auth *auth, unsigned char *reply, size_t *ret_size)
{
	const struct digest *ask = digests;

	while (ask < legacy && !(auth->digests & (unsigned)ask->bit))
		ask++;
	size_t prefix = strlen(ask->prefix);
	memcpy(auth->challenge, ask->prefix, prefix);
	if (getrandom(auth->challenge + prefix, MODERN_RANDOM, 0) != MODERN_RANDOM)
		return fail(auth, -EIO, "no random bytes");
	auth->challenge_size = (unsigned char)(prefix + MODERN_RANDOM);
	memcpy(reply, CHALLENGE, CHALLENGE_SIZE);
	memcpy(reply + CHALLENGE_SIZE, auth->challenge, auth->challenge_size);
	*ret_size = CHALLENGE_SIZE + auth->challenge_size;
	return 0;
}

/* A server of ours that cannot serve says why in place of its challenge: "#FAILURE# busy: ...". */
static int refused(struct xp_auth *auth, const unsigned char *payload, size_t size)
{
	static const char busy[] = FAILURE " busy:";

	if (size >= sizeof(busy) - 1 && !memcmp(payload, busy, sizeof(busy) - 1))
		return fail(auth, -EUSERS, "the server has no place left for another connection");
	return fail(auth, -EACCES, "the server does not serve this user");
}

/* The peer's challenge has come: answer it. */
static int answer(struct xp_auth *auth, const unsigned char *payload, size_t size,
		  unsigned char *reply, size_t *ret_size)
{
	if (size > VERDICT_SIZE && !memcmp(payload, FAILURE, VERDICT_SIZE))
		return refused(auth, payload, size);
	if (size < CHALLENGE_SIZE || memcmp(payload, CHALLENGE, CHALLENGE_SIZE) != 0)
		return fail(auth, -EPROTO, "the peer sent something else than a challenge");

	const unsigned char *message = payload + CHALLENGE_SIZE;
	size_t length = size - CHALLENGE_SIZE;
	bool modern = length != LEGACY_RANDOM;
	const struct digest *digest = modern ? digest_of(message, length) : legacy;
	size_t prefix = 0;

	if (length < LEGACY_RANDOM)
		return fail(auth, -EACCES, "the peer's challenge is too short");
	if (!digest)
		return fail(auth, -EACCES, "the peer's challenge names no known digest");
	if (!(auth->digests & (unsigned)digest->bit))
		return fail(auth, -EACCES,
			    modern ? "the peer asks for a digest that is not allowed"
				   : "the peer asks for md5, which is not allowed here");
	if (modern) {
		auth->modern = true;
		prefix = strlen(digest->prefix);
		memcpy(reply, digest->prefix, prefix);
	}
	unsigned char code[EVP_MAX_MD_SIZE];
	if (mac(auth, digest, message, length, code) < 0)
		return fail(auth, -EIO, "the digest cannot be computed");
	memcpy(reply + prefix, code, digest->size);
	*ret_size = prefix + digest->size;
	return 0;
}

/* The peer's answer to our challenge has come: is it right? */
static int verify(struct xp_auth *auth, const unsigned char *payload, size_t size)
{
	bool modern = size != LEGACY_ANSWER;
	const struct digest *digest = modern ? digest_of(payload, size) : legacy;
	size_t prefix = modern && digest ? strlen(digest->prefix) : 0;
	unsigned char code[EVP_MAX_MD_SIZE];

	if (!digest || size != prefix + digest->size)
		return fail(auth, -EACCES, "the peer's answer has no known form");
	if (!(auth->digests & (unsigned)digest->bit))
		return fail(auth, -EACCES,
			    modern ? "the peer answers with a digest that is not allowed"
				   : "the peer answers with md5, which is not allowed here");
	if (mac(auth, digest, auth->challenge, auth->challenge_size, code) < 0)
		return fail(auth, -EIO, "the digest cannot be computed");
	if (CRYPTO_memcmp(code, payload + prefix, digest->size) != 0)
		return fail(auth, -EACCES, "wrong key: the peer's digest does not match");
	auth->modern = auth->modern || modern;
	return 0;
}

int xp_auth_start(struct xp_auth *auth, enum xp_auth_role role, const void *key, size_t key_size,
		  const struct xp_auth_policy *policy, unsigned char ret_reply[XP_AUTH_FRAME_MAX],
		  size_t *ret_size)
{
	*auth = (struct xp_auth){.key = key,
				 .key_size = key_size,
				 .digests = policy ? policy->digests : XP_AUTH_ALL,
				 .role = (unsigned char)role,
				 .state = role == XP_AUTH_SERVER ? AWAIT_ANSWER : AWAIT_CHALLENGE,
				 .why = ""};
	*ret_size = 0;
	return role == XP_AUTH_SERVER ? challenge(auth, ret_reply, ret_size) : 0;
}

int xp_auth_step(struct xp_auth *auth, const void *payload, size_t size,
		 unsigned char ret_reply[XP_AUTH_FRAME_MAX], size_t *ret_size)
{
	bool server = auth->role == XP_AUTH_SERVER;
	int rc;

	*ret_size = 0;
	if (size > XP_AUTH_FRAME_MAX)
		return fail(auth, -EPROTO, "the peer sent too long a frame");
	switch ((enum state)auth->state) {
	case AWAIT_ANSWER:
		rc = verify(auth, payload, size);
		if (rc == -EACCES)
			say(ret_reply, ret_size, FAILURE);
		if (rc < 0)
			return rc;
		say(ret_reply, ret_size, WELCOME);
		auth->state = server ? AWAIT_CHALLENGE : DONE;
		return server ? XP_AUTH_MORE : XP_AUTH_DONE;
	case AWAIT_CHALLENGE:
		rc = answer(auth, payload, size, ret_reply, ret_size);
		if (rc == -EACCES)
			say(ret_reply, ret_size, FAILURE);
		if (rc < 0)
			return rc;
		auth->state = AWAIT_VERDICT;
		return XP_AUTH_MORE;
	case AWAIT_VERDICT:
		if (size == VERDICT_SIZE && !memcmp(payload, FAILURE, VERDICT_SIZE))
			return fail(auth, -EACCES, "wrong key: the peer refused our digest");
		if (size != VERDICT_SIZE || memcmp(payload, WELCOME, VERDICT_SIZE) != 0)
			return fail(auth, -EPROTO, "the peer sent something else than a verdict");
		if (server) {
			auth->state = DONE;
			return XP_AUTH_DONE;
		}
		auth->state = AWAIT_ANSWER;
		return auth->ahead ? XP_AUTH_MORE : challenge(auth, ret_reply, ret_size);
	case DONE:
	case FAILED:
		break;
	}
	return -EPROTO;
}

int xp_auth_ahead(struct xp_auth *auth, unsigned char ret_frame[XP_AUTH_FRAME_MAX],
		  size_t *ret_size)
{
	if (auth->role != XP_AUTH_CLIENT || auth->state != AWAIT_VERDICT || auth->ahead)
		return -EPROTO;
	auth->ahead = true;
	return challenge(auth, ret_frame, ret_size);
}

void xp_auth_thread_end(void)
{
	pthread_once(&contexts_once, contexts_init);
	if (contexts_kept) {
		contexts_free(pthread_getspecific(contexts_key));
		(void)pthread_setspecific(contexts_key, NULL);
	}
	OPENSSL_thread_stop();
}

const char *xp_auth_why(const struct xp_auth *auth)
{
	return auth->why;
}
