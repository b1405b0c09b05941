/*
 * A PKCS#11 module that hands every call on to another one, but for the orders that it finds in a folder: a file named
 * after the function, with a word of what to do. For tests.
 *
 * The types are those of PKCS#11 2.40 on 64-bit Linux; the function list is read as what it is there, two bytes of
 * version and 68 pointers.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long rv;
typedef struct { unsigned char version[2]; void *call[68]; } list;
typedef struct { unsigned long mechanism; void *parameter; unsigned long length; } mechanism;
typedef struct {
    unsigned char *iv; unsigned long iv_len, iv_bits; unsigned char *aad; unsigned long aad_len, tag_bits;
} gcm;

enum { INITIALIZE = 0, TOKEN_INFO = 6, SET_PIN = 11, OPEN_SESSION = 12, LOGIN = 18, GET_ATTRIBUTES = 24,
       FIND_INIT = 26, ENCRYPT_INIT = 29, ENCRYPT = 30, DECRYPT_INIT = 33, DECRYPT = 34, GENERATE_KEY = 58,
       UNWRAP_KEY = 61, RANDOM = 64 };
#define CKM_AES_GCM 0x1087

static list theirs, ours;
static __thread unsigned char own_iv[12];
static __thread int appends;

/* Does what is ordered; 0 when the call is to be handed on, else what it returns. */
static rv obey(const char *function, int *own) {
    char path[4096], word[32] = "";
    unsigned long number = 0;
    snprintf(path, sizeof path, "%s/%s", getenv("TRENT_SHIM_ORDERS"), function);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    int read = fscanf(file, "%31s", word);
    if (read == 1 && !strcmp(word, "fail")) { if (fscanf(file, "%lx", &number) != 1) number = 5; }
    if (read == 1 && !strcmp(word, "wait")) { if (fscanf(file, "%lu", &number) != 1) number = 1; }
    fclose(file);
    if (!strcmp(word, "hang")) for (;;) pause();
    if (!strcmp(word, "crash")) abort();
    if (!strcmp(word, "wait")) { usleep(number * 1000); return 0; }
    if (!strcmp(word, "own-iv") && own) *own = 1;
    return !strcmp(word, "fail") ? number : 0;
}

#define HAND_ON(NAME, INDEX, PARAMETERS, ARGUMENTS)        \
    static rv NAME PARAMETERS {                            \
        rv ordered = obey("C_" #NAME, NULL);               \
        return ordered ? ordered : ((rv (*) PARAMETERS)theirs.call[INDEX]) ARGUMENTS; \
    }

HAND_ON(Initialize, INITIALIZE, (void *a), (a))
HAND_ON(GetTokenInfo, TOKEN_INFO, (unsigned long a, void *b), (a, b))
HAND_ON(SetPIN, SET_PIN, (unsigned long a, void *b, unsigned long c, void *d, unsigned long e), (a, b, c, d, e))
HAND_ON(OpenSession, OPEN_SESSION, (unsigned long a, unsigned long b, void *c, void *d, void *e), (a, b, c, d, e))
HAND_ON(Login, LOGIN, (unsigned long a, unsigned long b, void *c, unsigned long d), (a, b, c, d))
HAND_ON(GetAttributeValue, GET_ATTRIBUTES, (unsigned long a, unsigned long b, void *c, unsigned long d), (a, b, c, d))
HAND_ON(FindObjectsInit, FIND_INIT, (unsigned long a, void *b, unsigned long c), (a, b, c))
HAND_ON(DecryptInit, DECRYPT_INIT, (unsigned long a, void *b, unsigned long c), (a, b, c))
HAND_ON(Decrypt, DECRYPT, (unsigned long a, void *b, unsigned long c, void *d, void *e), (a, b, c, d, e))
HAND_ON(GenerateKey, GENERATE_KEY, (unsigned long a, void *b, void *c, unsigned long d, void *e), (a, b, c, d, e))
HAND_ON(UnwrapKey, UNWRAP_KEY,
        (unsigned long a, void *b, unsigned long c, void *d, unsigned long e, void *f, unsigned long g, void *h),
        (a, b, c, d, e, f, g, h))
HAND_ON(GenerateRandom, RANDOM, (unsigned long a, void *b, unsigned long c), (a, b, c))

/* With `own-iv`: zeros are written over with an IV, and where there is none, one is put behind the ciphertext. */
static rv EncryptInit(unsigned long session, mechanism *m, unsigned long key) {
    rv (*on)(unsigned long, void *, unsigned long) = theirs.call[ENCRYPT_INIT];
    int own = 0;
    rv ordered = obey("C_EncryptInit", &own);
    appends = 0;
    if (ordered) return ordered;
    if (!own || m->mechanism != CKM_AES_GCM) return on(session, m, key);
    rv (*fill)(unsigned long, void *, unsigned long) = theirs.call[RANDOM];
    gcm *given = m->parameter;
    if ((ordered = fill(session, own_iv, sizeof own_iv))) return ordered;
    if (given->iv && given->iv_len == sizeof own_iv) {
        memcpy(given->iv, own_iv, sizeof own_iv);
        return on(session, m, key);
    }
    appends = 1;
    gcm with = *given;
    with.iv = own_iv;
    with.iv_len = sizeof own_iv;
    with.iv_bits = 8 * sizeof own_iv;
    mechanism changed = { m->mechanism, &with, sizeof with };
    return on(session, &changed, key);
}

static rv Encrypt(unsigned long session, void *data, unsigned long length, unsigned char *out, unsigned long *made) {
    rv (*on)(unsigned long, void *, unsigned long, void *, unsigned long *) = theirs.call[ENCRYPT];
    rv ordered = obey("C_Encrypt", NULL);
    if (ordered) return ordered;
    ordered = on(session, data, length, out, made);
    if (ordered || !appends) return ordered;
    if (out) memcpy(out + *made, own_iv, sizeof own_iv);
    *made += sizeof own_iv;
    return 0;
}

rv C_GetFunctionList(list **answer) {
    if (!theirs.call[0]) {
        void *library = dlopen(getenv("TRENT_SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
        rv (*theirs_of)(list **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
        list *found = NULL;
        if (!theirs_of || theirs_of(&found)) return 5;
        theirs = ours = *found;
        ours.call[3] = C_GetFunctionList;
        ours.call[INITIALIZE] = Initialize;
        ours.call[TOKEN_INFO] = GetTokenInfo;
        ours.call[SET_PIN] = SetPIN;
        ours.call[OPEN_SESSION] = OpenSession;
        ours.call[LOGIN] = Login;
        ours.call[GET_ATTRIBUTES] = GetAttributeValue;
        ours.call[FIND_INIT] = FindObjectsInit;
        ours.call[ENCRYPT_INIT] = EncryptInit;
        ours.call[ENCRYPT] = Encrypt;
        ours.call[DECRYPT_INIT] = DecryptInit;
        ours.call[DECRYPT] = Decrypt;
        ours.call[GENERATE_KEY] = GenerateKey;
        ours.call[UNWRAP_KEY] = UnwrapKey;
        ours.call[RANDOM] = GenerateRandom;
    }
    *answer = &ours;
    return 0;
}
