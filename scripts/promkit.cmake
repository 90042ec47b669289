# Build rules of promkit: flags, and the functions that modules and tools are declared with.

add_library(promkit_flags INTERFACE)
target_include_directories(promkit_flags INTERFACE ${CMAKE_SOURCE_DIR}/lib)
target_compile_options(promkit_flags INTERFACE
  -Wall -Wextra -Wshadow -Werror -pthread
  # Sums are compensated (Kahan-Neumaier) and must round as written, on every machine.
  -ffp-contract=off
  -fstack-protector-strong -Wformat -Werror=format-security)
target_link_libraries(promkit_flags INTERFACE Threads::Threads)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these in inlined library code that is sound (its bugs 105329 and 105651); clang and the sanitizers look for them.
  target_compile_options(promkit_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-array-bounds -Wno-restrict)
else()
  target_compile_options(promkit_flags INTERFACE -Wthread-safety -Wno-unused-command-line-argument)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
  target_compile_options(promkit_flags INTERFACE -fcf-protection)
endif()
target_compile_options(promkit_flags INTERFACE -fstack-clash-protection)
if(PROMKIT_SANITIZE)
  # -O0: with -O1 GCC takes three times as long over the checks it inserted, and traces read less like the source.
  # The address sanitizer stops at null pointers itself; UBSan's check of every dereference would double the code.
  set(CMAKE_CXX_FLAGS_RELEASE "-O0 -g1")
  if(PROMKIT_FUZZ)
    set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")  # runs for hours: built slower, runs five times as fast
  endif()
  target_compile_options(promkit_flags INTERFACE -fsanitize=${PROMKIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(PROMKIT_SANITIZE MATCHES "undefined")
    target_compile_options(promkit_flags INTERFACE -fno-sanitize=null,vptr,object-size,alignment,nonnull-attribute,returns-nonnull-attribute)
  endif()
  target_link_options(promkit_flags INTERFACE -fsanitize=${PROMKIT_SANITIZE})
  if(PROMKIT_SANITIZE STREQUAL "thread")
    # The thread sanitizer does not know fences; Asio's locks order the same accesses.
    target_compile_definitions(promkit_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
else()
  target_compile_definitions(promkit_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2> _GLIBCXX_ASSERTIONS)
endif()
if(PROMKIT_FUZZ)
  target_compile_options(promkit_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_link_options(promkit_flags INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
find_program(MOLD mold)
if(MOLD)
  # A program that needs what only GNU ld does sets its property PROMKIT_GNU_LD.
  target_link_options(promkit_flags INTERFACE $<$<NOT:$<BOOL:$<TARGET_PROPERTY:PROMKIT_GNU_LD>>>:-fuse-ld=mold>)
endif()

# What most sources include, compiled once, with GCC.
option(PROMKIT_PCH "precompile the standard headers" ON)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR PROMKIT_FUZZ)
  set(PROMKIT_PCH OFF)
endif()

# The target's sources begin with the precompiled headers of the target first.
function(prom_precompiled target first)
  if(PROMKIT_PCH)
    target_compile_options(${target} PRIVATE -fpch-preprocess)  # as ccache wants it
    target_precompile_headers(${target} REUSE_FROM ${first})
  endif()
endfunction()

if(PROMKIT_PCH)
  add_library(prom_headers OBJECT ${CMAKE_SOURCE_DIR}/scripts/precompiled.cc)
  target_link_libraries(prom_headers PRIVATE promkit_flags)
  target_compile_options(prom_headers PRIVATE -fpch-preprocess)
  target_precompile_headers(prom_headers PRIVATE <algorithm> <array> <atomic> <bit> <charconv> <chrono> <cmath> <cstdint> <cstring> <deque> <functional>
    <limits> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <utility> <vector>)
endif()

# prom_module(name USES other modules LINK libraries): lib/<name>/*.cc as a static library prom_<name>.
function(prom_module name)
  cmake_parse_arguments(arg "" "" "USES;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cc)
  if(NOT sources)  # headers only
    add_library(prom_${name} INTERFACE)
    target_link_libraries(prom_${name} INTERFACE promkit_flags ${arg_LINK})
    list(TRANSFORM arg_USES PREPEND prom_)
    target_link_libraries(prom_${name} INTERFACE ${arg_USES})
    return()
  endif()
  add_library(prom_${name} STATIC ${sources})
  list(TRANSFORM arg_USES PREPEND prom_)
  target_link_libraries(prom_${name} PUBLIC promkit_flags ${arg_USES} PRIVATE ${arg_LINK})
  if(PROMKIT_SANITIZE AND name MATCHES "^(base|model|chunk|exposition)$")
    # The loops that everything runs through; these are quick to compile all the same. No precompiled headers: they are -O0.
    target_compile_options(prom_${name} PRIVATE -O1)
    set_target_properties(prom_${name} PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)
  endif()
  # Of a module that several tools link, each takes what it calls.
  target_compile_options(prom_${name} PRIVATE -ffunction-sections -fdata-sections)
  prom_precompiled(prom_${name} prom_headers)
endfunction()

add_custom_target(programs)

# prom_tool(name USES modules): cmd/<name>/main.cc as the program <name>. The list is the tool's footprint.
function(prom_tool name)
  cmake_parse_arguments(arg "" "" "USES;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE promkit_flags ${arg_LINK})
  prom_precompiled(${name} prom_headers)
  # Flags are read once: CLI11 is much code that need not be fast.
  set_source_files_properties(main.cc PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1> SKIP_PRECOMPILE_HEADERS ON)
  foreach(used IN LISTS arg_USES)
    target_link_libraries(${name} PRIVATE prom_${used})
  endforeach()
  add_dependencies(programs ${name})
  install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
