# The one place that knows compiler flags and system libraries.
include(CMakeDependentOption)

option(ROOST_TESTS "Build the tests" ON)
option(ROOST_FAILPOINTS "Compile named failure points in (test builds only)" OFF)
set(ROOST_SANITIZE "" CACHE STRING "address (with undefined) or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # TRY() is a statement expression.
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_compile_options(-fPIC)  # programs too: they share precompiled headers with libraries

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

foreach(flag -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
        -Wno-missing-field-initializers -fno-omit-frame-pointer)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:${flag}>)
endforeach()
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(ROOST_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(ROOST_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread $<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
  add_link_options(-fsanitize=thread)
endif()
if(ROOST_FAILPOINTS)
  add_compile_definitions(ROOST_FAILPOINTS)
endif()
# One machine code for every x86-64; kernels that need more are chosen at run time.

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(OpenSSL 3 REQUIRED)
find_package(PostgreSQL 15 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(simdjson REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED COMPONENTS core)
find_package(CURL REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
if(ROOST_TESTS)
  find_package(GTest REQUIRED)
  # The interpreter of the project's own environment, where the peers' packages are.
  set(ROOST_PYTHON_EXECUTABLE "${CMAKE_SOURCE_DIR}/.dev/venv/bin/python" CACHE FILEPATH
      "Python with the packages of tests/requirements.txt")
endif()

# What nearly every file reads, read once for each way in which files are compiled. Files still include
# what they use: a build with CMAKE_DISABLE_PRECOMPILE_HEADERS (`./dev coverage`) would tell.
set(roost_common_headers <algorithm> <array> <atomic> <chrono> <cmath> <condition_variable> <cstdint>
    <cstring> <deque> <functional> <limits> <map> <memory> <mutex> <optional> <set> <span> <string>
    <string_view> <thread> <unordered_map> <utility> <variant> <vector>)

# roost_precompile(TARGET KIND SHARED header… [OWN header…]): the target's files are compiled with these
# headers. Targets of one kind share them, so they must have the same options; who has some of its own
# does not share.
function(roost_precompile target kind)
  cmake_parse_arguments(arg "" "" "SHARED;OWN" ${ARGN})
  if(arg_OWN)
    target_precompile_headers(${target} PRIVATE ${arg_SHARED} ${arg_OWN})
    return()
  endif()
  if(NOT TARGET roost_headers_${kind})
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/headers_${kind}.cc CONTENT "")
    add_library(roost_headers_${kind} OBJECT ${CMAKE_BINARY_DIR}/headers_${kind}.cc)
    get_target_property(options ${target} COMPILE_OPTIONS)
    if(options)
      set_target_properties(roost_headers_${kind} PROPERTIES COMPILE_OPTIONS "${options}")
    endif()
    if(kind STREQUAL test)
      target_link_libraries(roost_headers_${kind} PRIVATE GTest::gmock)
    endif()
    target_precompile_headers(roost_headers_${kind} PRIVATE ${arg_SHARED})
  endif()
  target_precompile_headers(${target} REUSE_FROM roost_headers_${kind})
endfunction()

# What `./dev test` builds in the presets that do not run every test: the binaries labelled `threads`
# (ThreadSanitizer), and those of the entries labelled `release`; in `debug`, all others.
add_custom_target(debug_tests)
add_custom_target(threads_tests)
add_custom_target(release_tests)

# Instrumented tests compile twice as fast unoptimised and without the checks at every use of a
# pointer; what they try is in the libraries, which have all checks.
function(roost_test_code target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-O0>)
  if(ROOST_SANITIZE STREQUAL "address")
    target_compile_options(${target} PRIVATE -fno-sanitize=null,vptr,alignment)
  endif()
  roost_precompile(${target} test SHARED ${roost_common_headers} <gmock/gmock.h> <gtest/gtest.h>)
endfunction()

# roost_library(NAME [HOT | FOR_TESTS] SOURCES … LINKS … [HEADERS …])            -> target roost_NAME
# With sanitizers a file compiles in half the time unoptimised. HOT: what computes so much that tests
# would wait longer for it. FOR_TESTS: code of tests, with GoogleTest. HEADERS: heavy ones of other
# projects that most of its files read.
function(roost_library name)
  cmake_parse_arguments(arg "HOT;FOR_TESTS" "" "SOURCES;LINKS;PRIVATE_LINKS;HEADERS" ${ARGN})
  add_library(roost_${name} STATIC ${arg_SOURCES})
  if(arg_FOR_TESTS)
    roost_test_code(roost_${name})
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    # With precompiled headers g++ 12 forgets which code is the library's own, of which it warns in
    # vain. Debug builds of what is HOT, and `./dev coverage`, have these warnings.
    target_compile_options(roost_${name} PRIVATE -Wno-array-bounds -Wno-stringop-overflow
                           -Wno-stringop-overread)
    roost_precompile(roost_${name} release SHARED ${roost_common_headers} OWN ${arg_HEADERS})
  elseif(NOT arg_HOT)  # what is optimised and instrumented gets false warnings from such headers
    target_compile_options(roost_${name} PRIVATE -O0)
    roost_precompile(roost_${name} cold SHARED ${roost_common_headers} OWN ${arg_HEADERS})
  endif()
  target_include_directories(roost_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(roost_${name} PUBLIC Threads::Threads ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
endfunction()

# roost_test(NAME SOURCES … LINKS … [LABELS …] [TIMEOUT seconds] [ENVIRONMENT …] [SHARDS n])
# One binary for all tests of a folder -> target NAME_test, ctest entry NAME; with SHARDS, entries
# NAME_1 … NAME_n with a part of the tests each. It reads and writes only temporary folders and binds
# only free ports, so entries may run side by side.
function(roost_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;SHARDS" "SOURCES;LINKS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ROOST_TESTS)
    return()
  endif()
  add_executable(${name}_test ${arg_SOURCES})
  roost_test_code(${name}_test)
  target_link_libraries(${name}_test PRIVATE ${arg_LINKS} GTest::gmock GTest::gtest_main)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_SHARDS)
    set(arg_SHARDS 1)
  endif()
  foreach(shard RANGE 1 ${arg_SHARDS})
    set(entry ${name})
    set(environment ${arg_ENVIRONMENT})
    if(arg_SHARDS GREATER 1)
      set(entry ${name}_${shard})
      math(EXPR index "${shard} - 1")
      list(APPEND environment GTEST_TOTAL_SHARDS=${arg_SHARDS} GTEST_SHARD_INDEX=${index})
    endif()
    add_test(NAME ${entry} COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    # Parts of a whole are the longest entries: they start first.
    set_tests_properties(${entry} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}"
                         ENVIRONMENT "${environment}" COST ${arg_SHARDS})
  endforeach()
  if(NOT release IN_LIST arg_LABELS)
    add_dependencies(debug_tests ${name}_test)
  endif()
  foreach(label IN ITEMS threads release)
    if(label IN_LIST arg_LABELS)
      add_dependencies(${label}_tests ${name}_test)
    endif()
  endforeach()
endfunction()
