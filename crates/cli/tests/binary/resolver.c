/* A resolver of names that never answers for hosts that begin with `hangs.`. Loaded before the system's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    if (node && !strncmp(node, "hangs.", 6)) for (;;) pause();
    int (*theirs)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    return theirs(node, service, hints, found);
}
