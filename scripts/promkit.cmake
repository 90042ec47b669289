# Build rules of promkit: flags, and the functions that modules and tools are declared with.

add_library(promkit_flags INTERFACE)
target_include_directories(promkit_flags INTERFACE ${CMAKE_SOURCE_DIR}/lib)
target_compile_options(promkit_flags INTERFACE
  -Wall -Wextra -Wshadow -Werror
  # Sums are compensated (Kahan-Neumaier) and must round as written, on every machine.
  -ffp-contract=off
  -fstack-protector-strong -Wformat -Werror=format-security)
target_link_libraries(promkit_flags INTERFACE Threads::Threads)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these in inlined library code that is sound.
  target_compile_options(promkit_flags INTERFACE -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
    -Wno-error=array-bounds -Wno-error=restrict)
else()
  target_compile_options(promkit_flags INTERFACE -Wthread-safety -Wno-unused-command-line-argument)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
  target_compile_options(promkit_flags INTERFACE -fcf-protection)
endif()
target_compile_options(promkit_flags INTERFACE -fstack-clash-protection)
if(PROMKIT_SANITIZE)
  # -O1: half the time to compile, and traces that read like the source.
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
  target_compile_options(promkit_flags INTERFACE -fsanitize=${PROMKIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
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
  if(name MATCHES "^(base|model|exposition)$")  # of what all tools link, each takes what it calls
    target_compile_options(prom_${name} PRIVATE -ffunction-sections -fdata-sections)
  endif()
endfunction()

add_custom_target(programs)

# prom_tool(name USES modules): cmd/<name>/main.cc as the program <name>. The list is the tool's footprint.
function(prom_tool name)
  cmake_parse_arguments(arg "" "" "USES;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE promkit_flags ${arg_LINK})
  foreach(used IN LISTS arg_USES)
    target_link_libraries(${name} PRIVATE prom_${used})
  endforeach()
  add_dependencies(programs ${name})
  install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
