# Compiler options of the whole tree. Our code is compiled with warnings as
# errors (cdgate_warnings); generated code is not ours and is compiled quietly.

set(CMAKE_CXX_FLAGS_DEV "-O1 -g1" CACHE STRING "Flags of the Dev build type" FORCE)
set(CMAKE_C_FLAGS_DEV "-O1 -g1" CACHE STRING "Flags of the Dev build type" FORCE)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG" CACHE STRING "Flags of the Release build type" FORCE)
mark_as_advanced(CMAKE_CXX_FLAGS_DEV CMAKE_C_FLAGS_DEV)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Dev CACHE STRING "Build type" FORCE)
endif()

add_compile_options(-fno-omit-frame-pointer -fstack-protector-strong)
if(CDGATE_SANITIZE)
  add_compile_options(-fsanitize=${CDGATE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CDGATE_SANITIZE})
else()
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
if(CDGATE_FUZZ)
  # In the libraries too: what is not instrumented, a fuzzer cannot explore.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_link_options(-Wl,-z,relro,-z,now)

find_program(CDGATE_CCACHE ccache)
if(CDGATE_CCACHE)
  # Relative paths and the sloppiness a precompiled header needs, so that a
  # second build directory or clone hits the cache of the first.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${CDGATE_CCACHE})
endif()
find_program(CDGATE_LLD ld.lld)
if(CDGATE_LLD)
  add_link_options(-fuse-ld=lld)
endif()

function(cdgate_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Werror -Werror=unused-result)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${target} PRIVATE -Wthread-safety -Wno-unused-private-field)
  else()
    # GCC 12 reports these falsely inside the standard library's own inlined code.
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized
      -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-dangling-pointer)
  endif()
endfunction()
