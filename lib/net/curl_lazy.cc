// libcurl, loaded when its first function is called and not when the program starts.
//
// libcurl brings some thirty shared libraries: 9 ms of CPU before main() runs, which a
// query on a data directory or a --help would pay for nothing. So the functions that
// fetch_loop.cc calls are defined here and pass on to the ones of libcurl.so.4. Since
// they stand before the library on the link line, the linker (--as-needed) leaves the
// library out; a function that is missing here brings it back, which costs start-up
// time and breaks nothing.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>

#include <cstdarg>

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

namespace {

void* Find(const char* name) {
  static void* const library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);  // thread-safe, never closed
  return library == nullptr ? nullptr : ::dlsym(library, name);
}

}  // namespace

// `missing` is what a caller gets when there is no libcurl.
#define PASS_ON(type, name, parameters, arguments, missing)             \
  extern "C" type name parameters {                                     \
    static const auto real = reinterpret_cast<type(*) parameters>(Find(#name)); \
    return real == nullptr ? missing : real arguments;                  \
  }

PASS_ON(CURLcode, curl_global_init, (long flags), (flags), CURLE_FAILED_INIT)
PASS_ON(CURL*, curl_easy_init, (), (), nullptr)
PASS_ON(const char*, curl_easy_strerror, (CURLcode code), (code), "no libcurl")
PASS_ON(curl_slist*, curl_slist_append, (curl_slist * list, const char* text), (list, text), nullptr)
PASS_ON(CURLM*, curl_multi_init, (), (), nullptr)
PASS_ON(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL* easy), (multi, easy), CURLM_INTERNAL_ERROR)
PASS_ON(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL* easy), (multi, easy), CURLM_INTERNAL_ERROR)
PASS_ON(CURLMcode, curl_multi_socket_action, (CURLM * multi, curl_socket_t fd, int events, int* running), (multi, fd, events, running), CURLM_INTERNAL_ERROR)
PASS_ON(CURLMcode, curl_multi_timeout, (CURLM * multi, long* timeout_ms), (multi, timeout_ms), CURLM_INTERNAL_ERROR)
PASS_ON(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi), CURLM_INTERNAL_ERROR)
PASS_ON(CURLMsg*, curl_multi_info_read, (CURLM * multi, int* left), (multi, left), nullptr)

#define PASS_ON_VOID(name, parameters, arguments)                       \
  extern "C" void name parameters {                                     \
    static const auto real = reinterpret_cast<void(*) parameters>(Find(#name)); \
    if (real != nullptr) real arguments;                                \
  }
PASS_ON_VOID(curl_easy_reset, (CURL * easy), (easy))
PASS_ON_VOID(curl_easy_cleanup, (CURL * easy), (easy))
PASS_ON_VOID(curl_slist_free_all, (curl_slist * list), (list))

// The one value behind the option is a long, a pointer or a curl_off_t: a register's worth
// on every platform where long has 64 bits.
static_assert(sizeof(long) == sizeof(void*) && sizeof(curl_off_t) == sizeof(void*));
#define PASS_ON_OPTION(type, name, handle_type, option_type, missing)                              \
  extern "C" type name(handle_type* handle, option_type option, ...) {                             \
    static const auto real = reinterpret_cast<type (*)(handle_type*, option_type, ...)>(Find(#name)); \
    std::va_list list;                                                                             \
    va_start(list, option);                                                                        \
    void* const value = va_arg(list, void*);                                                       \
    va_end(list);                                                                                  \
    return real == nullptr ? missing : real(handle, option, value);                                \
  }
// An enumerator is passed as an int of the same size: nothing is promoted, whatever clang fears.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wvarargs"
#endif
PASS_ON_OPTION(CURLcode, curl_easy_setopt, CURL, CURLoption, CURLE_FAILED_INIT)
PASS_ON_OPTION(CURLcode, curl_easy_getinfo, CURL, CURLINFO, CURLE_FAILED_INIT)
PASS_ON_OPTION(CURLMcode, curl_multi_setopt, CURLM, CURLMoption, CURLM_INTERNAL_ERROR)
