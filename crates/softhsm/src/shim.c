/*
 * A PKCS#11 module that hands every call on to another one, but for the orders that it finds in a folder: a file named
 * after the function, with a word of what to do, or `slot-` and the number of a slot, for all calls that concern it. A
 * slot that is to fail is not listed, either. For tests.
 *
 * With a file `shared-by` and a number in it, the one token behind it is shown as so many HSMs that share their keys and
 * users: each has a slot, a serial number, sessions and logins of its own.
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

enum { INITIALIZE = 0, SLOT_LIST = 4, SLOT_INFO = 5, TOKEN_INFO = 6, MECHANISMS = 7, MECHANISM_INFO = 8, SET_PIN = 11,
       OPEN_SESSION = 12, CLOSE_SESSION = 13, CLOSE_SESSIONS = 14, SESSION_INFO = 15, LOGIN = 18, LOGOUT = 19,
       GET_ATTRIBUTES = 24, FIND_INIT = 26, FIND = 27, ENCRYPT_INIT = 29, ENCRYPT = 30, DECRYPT_INIT = 33, DECRYPT = 34,
       GENERATE_KEY = 58, UNWRAP_KEY = 61, RANDOM = 64 };
#define CKM_AES_GCM 0x1087
/* In what a token says of itself: behind four texts. */
#define FLAGS_AT 96
/* The last of the four. */
#define SERIAL_AT 80

#define SLOTS_MAX 64
#define SESSIONS_MAX 65536
#define HSMS_MAX 8
/* The number of a slot of several that one token has, and that of the token's own slot. */
#define NUMBER(slot) ((slot) >> 32)
#define OWN(slot) ((slot) & 0xffffffff)

static list theirs, ours;
/* The slot of each session; handles that differ by a multiple of their number are not open at once. */
static unsigned long slot_of[SESSIONS_MAX];
/* Slots that were gone once and are so for good. */
static unsigned long lost[SLOTS_MAX];
/* How many HSMs the token is shown as, and of each how many sessions are open, whether its user is logged in, and how often
 * its keys were looked for in vain. Under the lock. */
static unsigned long hsms = 1;
static struct { unsigned long sessions; int is_user; unsigned long hidden; } of[HSMS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread unsigned char own_iv[12];
static __thread int appends;

/* Does what the file of this name says; 0 when the call is to be handed on, else what it returns. */
static rv obey_file(const char *name, int *own) {
    char path[4096], word[32] = "";
    unsigned long number = 0;
    snprintf(path, sizeof path, "%s/%s", getenv("TRENT_SHIM_ORDERS"), name);
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

/* The number that a file says, or what is meant without it. */
static unsigned long told_number(const char *name, unsigned long otherwise) {
    char path[4096];
    unsigned long number = otherwise;
    snprintf(path, sizeof path, "%s/%s", getenv("TRENT_SHIM_ORDERS"), name);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*[a-z] %lu", &number) != 1) number = otherwise;
    if (file) fclose(file);
    return number;
}

/* With `forgets-slots` a slot that was gone once is gone for as long as the process lives, as with many modules. */
static int forgets_slots(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/forgets-slots", getenv("TRENT_SHIM_ORDERS"));
    return access(path, F_OK) == 0;
}

static int is_slot_told(unsigned long slot, const char *what) {
    char path[4096], word[32] = "";
    snprintf(path, sizeof path, "%s/slot-%lu", getenv("TRENT_SHIM_ORDERS"), slot);
    FILE *file = fopen(path, "r");
    int told = file && fscanf(file, "%31s", word) == 1 && !strcmp(word, what);
    if (file) fclose(file);
    return told;
}

/* Whether a slot has no token: one that is told to fail, or did once. */
static int is_gone(unsigned long slot) {
    int gone = is_slot_told(slot, "fail");
    if (!forgets_slots()) return gone;
    unsigned long *known = &lost[(slot + NUMBER(slot)) % SLOTS_MAX];
    if (gone) *known = slot + 1;
    return *known == slot + 1;
}

static rv obey_slot(unsigned long slot) {
    char name[64];
    snprintf(name, sizeof name, "slot-%lu", slot);
    rv ordered = obey_file(name, NULL);
    return !ordered && is_gone(slot) ? 0xe0 : ordered;
}

static rv obey_in_slot(const char *function, unsigned long slot, int *own) {
    rv ordered = obey_slot(slot);
    return ordered ? ordered : obey_file(function, own);
}

/* What is asked of all tokens when one is looked for: it crashes when it is told so itself. */
static rv obey_facts(unsigned long slot) {
    return is_slot_told(slot, "crash") ? obey_file("C_GetTokenInfo", NULL) : obey_in_slot("C_GetTokenInfo", slot, NULL);
}

static rv obey(const char *function, unsigned long session, int *own) {
    return obey_in_slot(function, slot_of[session % SESSIONS_MAX], own);
}

/* How many milliseconds after it has done something a function is to answer. */
static unsigned long lateness(const char *name) {
    char path[4096], word[32] = "";
    unsigned long number = 0;
    snprintf(path, sizeof path, "%s/%s", getenv("TRENT_SHIM_ORDERS"), name);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    int is_told = fscanf(file, "%31s %lu", word, &number) == 2 && !strcmp(word, "late");
    fclose(file);
    return is_told ? number : 0;
}

/* To be late is ordered for one call. That the order is gone tells that this has been done, whenever it answers. */
static void be_late(const char *name, unsigned long milliseconds) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("TRENT_SHIM_ORDERS"), name);
    unlink(path);
    usleep(milliseconds * 1000);
}

#define HAND_ON(NAME, INDEX, OBEYED, PARAMETERS, ARGUMENTS)        \
    static rv NAME PARAMETERS {                                    \
        rv ordered = OBEYED;                                       \
        if (ordered) return ordered;                               \
        unsigned long late = lateness("C_" #NAME);                 \
        rv answer = ((rv (*) PARAMETERS)theirs.call[INDEX]) ARGUMENTS; \
        if (late) be_late("C_" #NAME, late);                       \
        return answer;                                             \
    }
#define IN_SESSION(NAME, INDEX, PARAMETERS, ARGUMENTS) HAND_ON(NAME, INDEX, obey("C_" #NAME, a, NULL), PARAMETERS, ARGUMENTS)

HAND_ON(Initialize, INITIALIZE, obey_file("C_Initialize", NULL), (void *a), (a))
HAND_ON(GetSlotInfo, SLOT_INFO, 0, (unsigned long a, void *b), (OWN(a), b))
HAND_ON(GetMechanismList, MECHANISMS, 0, (unsigned long a, void *b, void *c), (OWN(a), b, c))
HAND_ON(GetMechanismInfo, MECHANISM_INFO, 0, (unsigned long a, unsigned long b, void *c), (OWN(a), b, c))
/* One HSM's sessions of several cannot be told apart here. */
HAND_ON(CloseAllSessions, CLOSE_SESSIONS, hsms > 1 ? 0x54 : 0, (unsigned long a), (a))
IN_SESSION(SetPIN, SET_PIN, (unsigned long a, void *b, unsigned long c, void *d, unsigned long e), (a, b, c, d, e))
IN_SESSION(GetAttributeValue, GET_ATTRIBUTES, (unsigned long a, unsigned long b, void *c, unsigned long d), (a, b, c, d))
IN_SESSION(FindObjectsInit, FIND_INIT, (unsigned long a, void *b, unsigned long c), (a, b, c))
IN_SESSION(DecryptInit, DECRYPT_INIT, (unsigned long a, void *b, unsigned long c), (a, b, c))
IN_SESSION(Decrypt, DECRYPT, (unsigned long a, void *b, unsigned long c, void *d, void *e), (a, b, c, d, e))
IN_SESSION(GenerateKey, GENERATE_KEY, (unsigned long a, void *b, void *c, unsigned long d, void *e), (a, b, c, d, e))
IN_SESSION(UnwrapKey, UNWRAP_KEY,
           (unsigned long a, void *b, unsigned long c, void *d, unsigned long e, void *f, unsigned long g, void *h),
           (a, b, c, d, e, f, g, h))
IN_SESSION(GenerateRandom, RANDOM, (unsigned long a, void *b, unsigned long c), (a, b, c))

static int is_initialized(const unsigned char *facts) {
    unsigned long flags;
    memcpy(&flags, facts + FLAGS_AT, sizeof flags);
    return (flags & 0x400) != 0;
}

/* With a number in the file `token-flags`, every token has these flags too. Of several HSMs the serial numbers begin with p, q,
 * r…, which SoftHSM's do not. */
static rv GetTokenInfo(unsigned long slot, unsigned char *facts) {
    rv (*on)(unsigned long, void *) = theirs.call[TOKEN_INFO];
    rv done = obey_facts(slot);
    if (done || (done = on(OWN(slot), facts))) return done;
    if (hsms > 1 && is_initialized(facts)) facts[SERIAL_AT] = 'p' + NUMBER(slot);
    char path[4096];
    unsigned long flags, more = 0;
    snprintf(path, sizeof path, "%s/token-flags", getenv("TRENT_SHIM_ORDERS"));
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%lx", &more) != 1) more = 0;
    fclose(file);
    memcpy(&flags, facts + FLAGS_AT, sizeof flags);
    flags |= more;
    memcpy(facts + FLAGS_AT, &flags, sizeof flags);
    return 0;
}

static unsigned long slots_of(unsigned long slot) {
    rv (*on)(unsigned long, void *) = theirs.call[TOKEN_INFO];
    unsigned char facts[256];
    return hsms > 1 && !on(slot, facts) && is_initialized(facts) ? hsms : 1;
}

static rv OpenSession(unsigned long slot, unsigned long flags, void *a, void *b, unsigned long *session) {
    rv (*on)(unsigned long, unsigned long, void *, void *, unsigned long *) = theirs.call[OPEN_SESSION];
    rv done = obey_in_slot("C_OpenSession", slot, NULL);
    if (done) return done;
    pthread_mutex_lock(&lock);
    if (!(done = on(OWN(slot), flags, a, b, session))) {
        slot_of[*session % SESSIONS_MAX] = slot;
        of[NUMBER(slot)].sessions++;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

/* With its last session an HSM logs out. */
static rv CloseSession(unsigned long session) {
    rv (*on)(unsigned long) = theirs.call[CLOSE_SESSION];
    unsigned long number = NUMBER(slot_of[session % SESSIONS_MAX]);
    pthread_mutex_lock(&lock);
    rv done = on(session);
    if (!done && !--of[number].sessions) of[number].is_user = 0;
    pthread_mutex_unlock(&lock);
    return done;
}

static int is_anybody_in(void) {
    for (unsigned long i = 0; i < HSMS_MAX; i++) if (of[i].is_user) return 1;
    return 0;
}

/* Where another HSM has logged in, the token has: then it says of a PIN whether it is right where that is to stay what it is. */
static rv login_one(unsigned long session, unsigned long user, void *pin, unsigned long length) {
    rv (*on)(unsigned long, unsigned long, void *, unsigned long) = theirs.call[LOGIN];
    rv (*set_pin)(unsigned long, void *, unsigned long, void *, unsigned long) = theirs.call[SET_PIN];
    int *is_user = &of[NUMBER(slot_of[session % SESSIONS_MAX])].is_user;
    pthread_mutex_lock(&lock);
    rv done = 0x100;
    if (!*is_user) done = is_anybody_in() ? set_pin(session, pin, length, pin, length) : on(session, user, pin, length);
    if (!done && user == 1) *is_user = 1;
    pthread_mutex_unlock(&lock);
    return done;
}

/* Every PIN that is tried is counted: a byte of the file `logins` for each, which is an `x` where it was wrong. */
static rv Login(unsigned long session, unsigned long user, void *pin, unsigned long length) {
    rv (*on)(unsigned long, unsigned long, void *, unsigned long) = theirs.call[LOGIN];
    rv ordered = obey("C_Login", session, NULL);
    if (ordered) return ordered;
    rv done = hsms > 1 ? login_one(session, user, pin, length) : on(session, user, pin, length);
    char path[4096];
    snprintf(path, sizeof path, "%s/logins", getenv("TRENT_SHIM_ORDERS"));
    FILE *file = fopen(path, "a");
    if (!file) abort();
    fputc(done == 0xa0 ? 'x' : '.', file);
    fclose(file);
    return done;
}

static rv Logout(unsigned long session) {
    rv (*on)(unsigned long) = theirs.call[LOGOUT];
    if (hsms == 1) return on(session);
    int *is_user = &of[NUMBER(slot_of[session % SESSIONS_MAX])].is_user;
    rv done = 0;
    pthread_mutex_lock(&lock);
    if (!*is_user) done = 0x101;
    *is_user = 0;
    if (!done && !is_anybody_in()) done = on(session);
    pthread_mutex_unlock(&lock);
    return done;
}

static int is_user_in(unsigned long slot) {
    pthread_mutex_lock(&lock);
    int is_user = hsms == 1 || of[NUMBER(slot)].is_user;
    pthread_mutex_unlock(&lock);
    return is_user;
}

static rv GetSessionInfo(unsigned long session, unsigned long *info) {
    rv (*on)(unsigned long, void *) = theirs.call[SESSION_INFO];
    rv done = on(session, info);
    if (done || hsms == 1) return done;
    info[0] = slot_of[session % SESSIONS_MAX];
    /* The user's state, and the public one before it: read-only 1 and 0, else 3 and 2. */
    if (!is_user_in(info[0]) && (info[1] == 1 || info[1] == 3)) info[1]--;
    return 0;
}

/* With `hide` for a slot no key is found in it, with `hide 3` not the first three times. */
static int hides(unsigned long slot) {
    if (!is_slot_told(slot, "hide")) return 0;
    char name[64];
    snprintf(name, sizeof name, "slot-%lu", slot);
    pthread_mutex_lock(&lock);
    int hides = of[NUMBER(slot)].hidden < told_number(name, (unsigned long)-1);
    of[NUMBER(slot)].hidden++;
    pthread_mutex_unlock(&lock);
    return hides;
}

static rv FindObjects(unsigned long session, void *found, unsigned long max, unsigned long *count) {
    rv (*on)(unsigned long, void *, unsigned long, unsigned long *) = theirs.call[FIND];
    unsigned long slot = slot_of[session % SESSIONS_MAX];
    rv done = on(session, found, max, count);
    if (!done && *count && (!is_user_in(slot) || hides(slot))) *count = 0;
    return done;
}

static rv GetSlotList(unsigned char with_token, unsigned long *slots, unsigned long *count) {
    rv (*on)(unsigned char, unsigned long *, unsigned long *) = theirs.call[SLOT_LIST];
    unsigned long all[SLOTS_MAX], listed[SLOTS_MAX], found = SLOTS_MAX, left = 0;
    /* The first call of the two is the one that looks anew. */
    rv done = on(with_token, NULL, &found);
    if (done || found > SLOTS_MAX / HSMS_MAX) return done ? done : 5;
    if ((done = on(with_token, all, &found))) return done;
    for (unsigned long i = 0; i < found; i++) {
        unsigned long number = slots_of(all[i]);
        for (unsigned long n = 0; n < number; n++) if (!is_gone(all[i] | n << 32)) listed[left++] = all[i] | n << 32;
    }
    if (slots && *count < left) { *count = left; return 0x150; }
    if (slots) memcpy(slots, listed, left * sizeof *listed);
    *count = left;
    return 0;
}

/* With `own-iv`: zeros are written over with an IV, and where there is none, one is put behind the ciphertext. */
static rv EncryptInit(unsigned long session, mechanism *m, unsigned long key) {
    rv (*on)(unsigned long, void *, unsigned long) = theirs.call[ENCRYPT_INIT];
    int own = 0;
    rv ordered = obey("C_EncryptInit", session, &own);
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
    rv ordered = obey("C_Encrypt", session, NULL);
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
        hsms = told_number("shared-by", 1);
        if (hsms < 1 || hsms > HSMS_MAX) return 5;
        ours.call[3] = C_GetFunctionList;
        ours.call[INITIALIZE] = Initialize;
        ours.call[SLOT_LIST] = GetSlotList;
        ours.call[SLOT_INFO] = GetSlotInfo;
        ours.call[TOKEN_INFO] = GetTokenInfo;
        ours.call[MECHANISMS] = GetMechanismList;
        ours.call[MECHANISM_INFO] = GetMechanismInfo;
        ours.call[SET_PIN] = SetPIN;
        ours.call[OPEN_SESSION] = OpenSession;
        ours.call[CLOSE_SESSION] = CloseSession;
        ours.call[CLOSE_SESSIONS] = CloseAllSessions;
        ours.call[SESSION_INFO] = GetSessionInfo;
        ours.call[LOGIN] = Login;
        ours.call[LOGOUT] = Logout;
        ours.call[GET_ATTRIBUTES] = GetAttributeValue;
        ours.call[FIND_INIT] = FindObjectsInit;
        ours.call[FIND] = FindObjects;
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
