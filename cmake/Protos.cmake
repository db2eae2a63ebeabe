# C++ for the gRPC protocols of stores: static libraries roost_milvus_proto and roost_weaviate_proto.
#
# The definitions come out of wheels pinned by hash in requirements-protos.txt. They are looked for in
# ROOST_PROTO_WHEELS only: a configure needs no network. The generated code is compiled without our
# warnings and sanitizers, by the same command in every preset, so that ccache has it for the second;
# it is system code to whoever includes it: #include <milvus.pb.h>.
set(ROOST_PROTO_WHEELS "${CMAKE_SOURCE_DIR}/.dev/wheels" CACHE PATH
    "Folder with the wheels of cmake/requirements-protos.txt")
set(roost_proto_pins "${CMAKE_SOURCE_DIR}/cmake/requirements-protos.txt")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${roost_proto_pins}")

find_package(Protobuf 3.21 REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# roost_proto_wheel(VARIABLE PACKAGE): the path of the package's pinned wheel.
function(roost_proto_wheel variable package)
  file(STRINGS "${roost_proto_pins}" pin REGEX "^${package}==")
  if(NOT pin MATCHES "==([^ ]+) --hash=sha256:([0-9a-f]+)")
    message(FATAL_ERROR "${roost_proto_pins} has no line \"${package}==… --hash=sha256:…\"")
  endif()
  set(version "${CMAKE_MATCH_1}")
  set(hash "${CMAKE_MATCH_2}")
  string(REPLACE "-" "_" file "${package}")
  set(wheel "${ROOST_PROTO_WHEELS}/${file}-${version}-py3-none-any.whl")
  set(advice "run ./dev build, or: python3 -m pip download --no-deps --require-hashes \
-r cmake/requirements-protos.txt -d \"${ROOST_PROTO_WHEELS}\"")
  if(NOT EXISTS "${wheel}")
    message(FATAL_ERROR "The definitions of a store's protocol are missing: there is no \"${wheel}\"; "
                        "${advice}")
  endif()
  file(SHA256 "${wheel}" found)
  if(NOT found STREQUAL hash)
    message(FATAL_ERROR "\"${wheel}\" is not the pinned file (its SHA-256 is ${found}); delete it and "
                        "${advice}")
  endif()
  set(${variable} "${wheel}" PARENT_SCOPE)
endfunction()

# roost_proto_library(NAME WHEEL path FOLDER in-wheel PREFIX "v1/" FILES name… IMPORTS google/….proto)
function(roost_proto_library name)
  cmake_parse_arguments(arg "" "WHEEL;FOLDER;PREFIX" "FILES;IMPORTS" ${ARGN})
  set(script "${CMAKE_SOURCE_DIR}/tools/extract_protos.py")
  set(folder "${CMAKE_BINARY_DIR}/protos/${name}")
  file(MAKE_DIRECTORY "${folder}")
  list(TRANSFORM arg_FILES PREPEND "${arg_PREFIX}")
  set(protos ${arg_FILES})
  list(TRANSFORM protos APPEND ".proto")
  set(sources ${arg_FILES})
  list(TRANSFORM sources PREPEND "${folder}/")
  set(headers ${sources})
  list(TRANSFORM sources APPEND ".pb.cc")
  list(TRANSFORM headers APPEND ".pb.h")

  # Google's own definitions, which those of the wheel import, are the installed compiler's.
  set(sets "${folder}/definitions.fds")
  set(imports)
  if(arg_IMPORTS)
    set(imports COMMAND protobuf::protoc "--descriptor_set_out=${folder}/imports.fds" ${arg_IMPORTS})
    string(APPEND sets ":${folder}/imports.fds")
  endif()
  add_custom_command(
    OUTPUT ${sources} ${headers}
    COMMAND Python3::Interpreter "${script}" "${arg_WHEEL}" "${arg_FOLDER}"
            "${folder}/definitions.fds" ${protos}
    ${imports}
    COMMAND protobuf::protoc "--descriptor_set_in=${sets}" "--cpp_out=${folder}" ${protos}
    DEPENDS "${script}" "${arg_WHEEL}"
    COMMENT "Generating C++ for the protocol of ${name}"
    VERBATIM)

  set(objects)
  foreach(file ${arg_FILES})
    add_custom_command(
      OUTPUT "${folder}/${file}.pb.o"
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} "${CMAKE_CXX_COMPILER}" -std=gnu++20 -O1 -fPIC -w -I.
              -c "${file}.pb.cc" -o "${file}.pb.o"
      DEPENDS ${sources} ${headers}
      WORKING_DIRECTORY "${folder}"
      COMMENT "Compiling the protocol of ${name}: ${file}"
      VERBATIM)
    list(APPEND objects "${folder}/${file}.pb.o")
  endforeach()
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

  add_library(roost_${name}_proto STATIC EXCLUDE_FROM_ALL ${objects} ${headers})
  set_target_properties(roost_${name}_proto PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(roost_${name}_proto SYSTEM PUBLIC "${folder}")
  target_link_libraries(roost_${name}_proto PUBLIC protobuf::libprotobuf)
endfunction()

roost_proto_wheel(pymilvus_wheel pymilvus)
roost_proto_library(milvus
  WHEEL "${pymilvus_wheel}"
  FOLDER pymilvus/grpc_gen
  FILES common feder milvus msg rg schema)

roost_proto_wheel(weaviate_wheel weaviate-client)
roost_proto_library(weaviate
  WHEEL "${weaviate_wheel}"
  FOLDER weaviate/proto/v1/v4216/v1
  PREFIX v1/
  FILES aggregate base base_search batch batch_delete generative properties search_get tenants
  IMPORTS google/protobuf/struct.proto)
